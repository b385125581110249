"""Noise: words a little out of order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Example, Task, Transform


class WordSwapConfig(ComponentConfig):
    """Configuration of :class:`WordSwap`."""

    name: str = "word_swap"
    distance: int = Field(default=3, ge=1)
    """How far a word may be from its place, at most."""


class WordSwap(Transform):
    """Shuffles the words of the source: each is sorted by its place plus a number drawn from [0, ``distance`` + 1), so
    that none moves further than ``distance`` (Lample et al. 2018, section 2.3)."""

    def __init__(self, config: WordSwapConfig, task: Task) -> None:
        self.config = config

    def on_text(self, example: Example, generator: np.random.Generator) -> Example:
        words = example.source.split()
        places = np.arange(len(words)) + generator.uniform(0, self.config.distance + 1, len(words))
        return replace(example, source=" ".join(words[i] for i in np.argsort(places)))
