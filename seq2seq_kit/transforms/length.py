"""A filter: neither side too short or too long."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform
from seq2seq_kit.transforms.sizes import Unit, text_sizes, token_sizes


class LengthConfig(ComponentConfig):
    """Configuration of :class:`Length`."""

    name: str = "length"
    min: int = Field(default=1, ge=0)
    """The least that both sides must have."""
    max: int | None = Field(default=None, ge=1)
    """The most that either side may have; null: any."""
    unit: Unit = "words"
    """What is counted: words between white space, characters, or tokens (EOS included)."""


class Length(Transform):
    """Leaves out examples with a side shorter than ``min`` or longer than ``max``."""

    def __init__(self, config: LengthConfig, task: Task) -> None:
        self.config = config

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        c = self.config
        return example if c.unit == "tokens" or self._fits(text_sizes(example, c.unit)) else None

    def on_ids(
        self, encoded: EncodedExample, example: Example, generator: np.random.Generator
    ) -> EncodedExample | None:
        return encoded if self.config.unit != "tokens" or self._fits(token_sizes(encoded)) else None

    def _fits(self, sizes: tuple[int, int]) -> bool:
        c = self.config
        return min(sizes) >= c.min and (c.max is None or max(sizes) <= c.max)
