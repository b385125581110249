"""A filter: neither side much longer than the other."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform
from seq2seq_kit.transforms.sizes import Unit, text_sizes, token_sizes


class RatioConfig(ComponentConfig):
    """Configuration of :class:`Ratio`."""

    name: str = "ratio"
    max: float = Field(default=3.0, ge=1)
    """The most that the longer side may have for each of the shorter one."""
    unit: Unit = "words"
    """What is counted: words between white space, characters, or tokens (EOS included)."""


class Ratio(Transform):
    """Leaves out examples with one side more than ``max`` times as long as the other: most are misaligned."""

    def __init__(self, config: RatioConfig, task: Task) -> None:
        self.config = config

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        c = self.config
        return example if c.unit == "tokens" or self._fits(text_sizes(example, c.unit)) else None

    def on_ids(
        self, encoded: EncodedExample, example: Example, generator: np.random.Generator
    ) -> EncodedExample | None:
        return encoded if self.config.unit != "tokens" or self._fits(token_sizes(encoded)) else None

    def _fits(self, sizes: tuple[int, int]) -> bool:
        return max(sizes) <= self.config.max * min(sizes)
