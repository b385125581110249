"""Say what an output must begin with, must contain, must not contain, or may be at all: constrained search in C++.

The model is a bigram count of four sentences. Any step would do. Run it:  python examples/constrained_search.py
"""

from itertools import pairwise

import torch

from seq2seq_kit import SearchOptions, search
from seq2seq_kit.decoding.constraints import trie
from seq2seq_kit.decoding.inputs import SentenceInput

CORPUS = [
    "the cat sees the small dog",
    "the dog sees a cat and a bird",
    "a small bird sings and the cat sleeps",
    "the big dog sleeps and a bird sings",
]
WORDS = ["<pad>", "<s>", "</s>", *sorted({word for line in CORPUS for word in line.split()})]  # BOS 1, EOS 2

counts = torch.full((len(WORDS), len(WORDS)), 0.01)  # [word, next word]; nothing is impossible
for line in CORPUS:
    text = ["<s>", *line.split(), "</s>"]
    for word, following in pairwise(text):
        counts[WORDS.index(word), WORDS.index(following)] += 1


def step(tokens, position, state):
    return counts.log()[tokens]  # [B, K] -> logits [B, K, V]


def ids(phrase):
    return tuple(WORDS.index(word) for word in phrase.split())


SENTENCES = {
    "nothing is said": SentenceInput(),
    "it begins with 'a big'": SentenceInput(prefix=ids("a big")),
    "it has 'bird', and 'big' or 'small'": SentenceInput(constraints=[[ids("bird")], [ids("big"), ids("small")]]),
    "it has 'bird', but no cat, and does not sing": SentenceInput(
        constraints=[[ids("bird")]], banned=[ids("cat"), ids("sings")]
    ),
    "it is one of two": SentenceInput(automaton=trie([ids("the bird sleeps"), ids("a cat sings")])),
    "it has 'dog' and no dog": SentenceInput(constraints=[[ids("dog")]], banned=[ids("dog")]),
}

options = SearchOptions(beam_size=6, max_length=12, no_repeat_ngram=2, suppress=ids("<pad> <s>"))
found = search(step, options=options, sentences=list(SENTENCES.values()))  # all in one batch
for what, [best] in zip(SENTENCES, found, strict=True):
    text = " ".join(WORDS[token] for token in best.tokens[:-1])
    print(f"{what}: {text} ({best.score:.2f})", "- not met" if best.unmet else "")
