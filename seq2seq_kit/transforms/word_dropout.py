"""Noise: words that are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Example, Task, Transform


class WordDropoutConfig(ComponentConfig):
    """Configuration of :class:`WordDropout`."""

    name: str = "word_dropout"
    rate: float = Field(default=0.1, ge=0, lt=1)
    """The probability that a word of the source is dropped."""


class WordDropout(Transform):
    """Drops words of the source, each with probability ``rate`` (Lample et al. 2018, section 2.3); one stays."""

    def __init__(self, config: WordDropoutConfig, task: Task) -> None:
        self.config = config

    def on_text(self, example: Example, generator: np.random.Generator) -> Example:
        words = example.source.split()
        draws = generator.random(len(words))
        kept = [word for word, draw in zip(words, draws, strict=True) if draw >= self.config.rate]
        if len(kept) == len(words):
            return example
        return replace(example, source=" ".join(kept or [words[generator.integers(len(words))]]))
