"""A filter: nothing twice."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import numpy as np

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Example, Task, Transform


class DuplicatesConfig(ComponentConfig):
    """Configuration of :class:`Duplicates`."""

    name: str = "duplicates"
    same: Literal["pair", "source", "target"] = "pair"
    """What makes two examples the same: both sides, or one of them."""


class Duplicates(Transform):
    """Leaves out an example that came before; the first one stays. Takes about 100 bytes an example while reading."""

    def __init__(self, config: DuplicatesConfig, task: Task) -> None:
        self.config = config
        self._seen: set[bytes] = set()

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        sides = {"pair": [example.source, example.target or ""], "source": [example.source]}
        text = "\n".join(sides.get(self.config.same, [example.target or ""]))  # there is no line end in a side
        key = blake2b(text.encode(), digest_size=12).digest()
        if key in self._seen:
            return None
        self._seen.add(key)
        return example
