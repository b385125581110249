"""How well a run predicts given texts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.decoding.score import TargetScore
from seq2seq_kit.interfaces import Example

BATCHES_A_WINDOW = 16
"""Batches read ahead, so that texts of like length can be scored together."""


@dataclass
class Perplexity:
    """Sums over the targets of a test set."""

    texts: int = 0
    tokens: int = 0
    """The end symbol of each text included."""
    log_prob: float = 0.0
    """In nats."""
    seconds: float = 0.0

    @property
    def value(self) -> float:
        """exp of minus the mean log-probability of a token; it can be compared between runs of one tokenizer."""
        return math.exp(min(700.0, -self.log_prob / max(1, self.tokens)))  # e**709 is the largest double

    def report(self) -> dict[str, object]:
        """What a program would read, in the form of an evaluation's."""
        return {
            "metrics": {"perplexity": self.value},
            "examples": self.texts,
            "tokens": self.tokens,
            "log_prob": self.log_prob,
            "seconds": round(self.seconds, 3),
        }


def perplexity(
    pipeline: Pipeline,
    examples: Iterable[Example],
    options: SearchOptions,
    *,
    batch_size: int = 32,
    on_score: Callable[[TargetScore], None] | None = None,
) -> Perplexity:
    """Score the targets of ``examples``, by teacher forcing.

    Args:
        options: the temperature is heeded.
        on_score: called with the score of each target, in order.
    """
    total, start = Perplexity(), time.perf_counter()
    stream = iter(examples)
    while window := list(islice(stream, BATCHES_A_WINDOW * batch_size)):
        pairs = [(example.source, example.target or "") for example in window]
        for found in pipeline.score_with(pairs, options, batch_size):
            total.texts += 1
            total.tokens += len(found.tokens)
            total.log_prob += found.log_prob
            if on_score:
                on_score(found)
    total.seconds = time.perf_counter() - start
    return total
