"""Beam search in C++ over any Python function: here a bigram model of six words, without task, configuration or run.

Run it:  python examples/search_any_callable.py
"""

import torch

from seq2seq_kit import SearchOptions, search

WORDS = ["<end>", "<start>", "the", "cat", "dog", "sleeps"]
FOLLOWS = {"<start>": "the", "the": "cat dog", "cat": "sleeps", "dog": "sleeps sleeps <end>", "sleeps": "<end>"}

counts = torch.zeros(len(WORDS), len(WORDS))  # [word, next word]
for word, following in FOLLOWS.items():
    for other in following.split():
        counts[WORDS.index(word), WORDS.index(other)] += 1


def step(tokens, position, state):
    return counts.log()[tokens]  # [B, K] -> logits [B, K, V]


options = SearchOptions(beam_size=4, n_best=3, max_length=8, bos_id=1, eos_ids=(0,))
for hypothesis in search(step, options=options, batch_size=1)[0]:
    print(f"{hypothesis.log_prob:6.2f}", " ".join(WORDS[token] for token in hypothesis.tokens))
