"""Samples that do not depend on their batch, a processor with a state of its own, and two models searched as one.

The models are bigram counts of two small corpora. Any steps would do. Run it:  python examples/sample_and_combine.py
"""

from itertools import pairwise

import torch

from seq2seq_kit import SearchOptions, search
from seq2seq_kit.decoding.ensemble import Ensemble, Member
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.interfaces import DecoderState, Processor, ProcessorOutput

AT_HOME = ["the cat sleeps", "the cat sees a bird", "a cat sees the dog and the dog sleeps", "the dog sees a cat"]
OUTSIDE = ["a bird sings", "the bird sees the sea", "the wind sings and the sea sleeps", "a bird sees the wind"]
WORDS = ["<pad>", "<s>", "</s>", *sorted({word for line in AT_HOME + OUTSIDE for word in line.split()})]


def model(corpus):
    """A step: the bigram counts of a corpus as logits."""
    counts = torch.full((len(WORDS), len(WORDS)), 0.02)  # [word, next word]
    for line in corpus:
        text = ["<s>", *line.split(), "</s>"]
        for word, following in pairwise(text):
            counts[WORDS.index(word), WORDS.index(following)] += 1
    return lambda tokens, position, state: counts.log()[tokens]  # [B, K] -> logits [B, K, V]


def show(title, hypotheses):
    print(title)
    for hypothesis in hypotheses:
        print(f"  {hypothesis.score:6.2f}", " ".join(WORDS[token] for token in hypothesis.tokens[:-1]))


at_home, outside = model(AT_HOME), model(OUTSIDE)

# Samples: the same for a seed and a sentence's key, whatever else is in the batch.
drawn = SearchOptions(sampling="tokens", beam_size=3, n_best=3, seed=3, top_p=0.9, max_length=12)
[alone] = search(at_home, options=drawn, sentences=[SentenceInput(key=5)])
batch = search(at_home, options=drawn, sentences=[SentenceInput(key=key) for key in (8, 5, 2)])
assert batch[1] == alone
show("three samples", alone)


class LetterBudget(Processor):
    """An output has at most so many letters. What is left of them follows each hypothesis."""

    def __init__(self, letters):
        self.letters = letters
        self.lengths = torch.tensor([0 if word.startswith("<") else len(word) for word in WORDS])  # [V]

    def init(self, memory, batch_size):
        return DecoderState(rows={"left": torch.full((batch_size, 1), self.letters)})

    def apply(self, scores, tokens, state):
        left = state.rows["left"] - self.lengths[tokens[..., -1]]  # [B, K]
        too_long = self.lengths > left.unsqueeze(-1)  # [B, K, V]
        return ProcessorOutput(scores.masked_fill(too_long, -torch.inf), state={"left": left})


beam = SearchOptions(beam_size=5, n_best=2, max_length=12, min_length=3)
show("freely", search(at_home, options=beam, batch_size=1)[0])
show("in ten letters", search(at_home, options=beam, batch_size=1, processors=[LetterBudget(10)])[0])

both = Ensemble([Member(at_home, weight=0.4), Member(outside, weight=0.6)], "linear")
show("of both models", search(both, options=beam, batch_size=1)[0])
