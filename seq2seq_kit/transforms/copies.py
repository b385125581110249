"""A filter: no source as its own target."""

from __future__ import annotations

import numpy as np

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Example, Task, Transform


class CopiesConfig(ComponentConfig):
    """Configuration of :class:`Copies`."""

    name: str = "copies"


class Copies(Transform):
    """Leaves out examples whose target is their source, but for case and white space: they teach a model to copy
    (Khayrallah and Koehn 2018)."""

    def __init__(self, config: CopiesConfig, task: Task) -> None:
        pass

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        source, target = (side.casefold().split() for side in (example.source, example.target or ""))
        return example if source != target else None
