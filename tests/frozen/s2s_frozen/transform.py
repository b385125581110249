"""Noise: sources that lose their last words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field
from seq2seq_kit import ComponentConfig, Example, Task, Transform


class FrozenTransformConfig(ComponentConfig):
    """The options of :class:`FrozenTransform`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    rate: float = Field(default=0.1, ge=0, le=1)
    """The probability that a source is cut."""


class FrozenTransform(Transform):
    """Cuts a source after a word that is drawn; the first word stays (see ``Transform`` for the contract)."""

    def __init__(self, config: FrozenTransformConfig, task: Task) -> None:
        self.config = config

    def on_text(self, example: Example, generator: np.random.Generator) -> Example:
        """Another example in the place of ``example``, which stays as it is; all that is random is drawn from
        ``generator``, so that a resumed run draws the same."""
        words = example.source.split()
        if len(words) < 2 or generator.random() >= self.config.rate:
            return example
        return replace(example, source=" ".join(words[: generator.integers(1, len(words))]))
