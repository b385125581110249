"""Filters by how long the sides of an example are, in a unit to choose."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import numpy as np

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform


class SizeFilterConfig(ComponentConfig):
    """What filters by size have in common."""

    unit: Literal["tokens", "words", "characters"] = "words"
    """What is counted: words between white space, characters, or tokens (EOS included)."""


class SizeFilter(Transform):
    """Leaves out examples whose sizes do not fit."""

    def __init__(self, config: SizeFilterConfig, task: Task) -> None:
        self.unit = config.unit

    @abstractmethod
    def fits(self, source: int, target: int) -> bool:
        """Whether an example with sides of these sizes stays."""

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        if self.unit == "tokens":
            return example
        sides = example.source, example.target or ""
        sizes = [len(side.split()) if self.unit == "words" else len(side) for side in sides]
        return example if self.fits(*sizes) else None

    def on_ids(
        self, encoded: EncodedExample, example: Example, generator: np.random.Generator
    ) -> EncodedExample | None:
        if self.unit != "tokens" or self.fits(len(encoded.source), len(encoded.target or [])):
            return encoded
        return None
