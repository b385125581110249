"""Another segmentation of the same text each time."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Tokenizer, Transform


class BPEDropoutConfig(ComponentConfig):
    """Configuration of :class:`BPEDropout`."""

    name: str = "bpe_dropout"
    rate: float = Field(default=0.1, ge=0, lt=1)
    """The probability that a merge is passed over."""
    sides: list[Literal["source", "target"]] = Field(default=["source", "target"], min_length=1)
    """Which texts are segmented anew."""


class BPEDropout(Transform):
    """Encodes the text anew, with merges of BPE left out at random (Provilkov et al. 2020).

    In a list of transforms it goes before those that change ids, whose work it would undo.
    """

    def __init__(self, config: BPEDropoutConfig, task: Task) -> None:
        self.config = config
        self._task = task
        tokenizers = task.tokenizers()
        for side in config.sides:
            if side not in tokenizers:
                raise ConfigError(f"data: {config.name}: the task {task.config.name!r} has no tokenizer of {side}s")
            kind = type(tokenizers[side])
            if kind.sampling is Tokenizer.sampling:
                raise ConfigError(
                    f"data: {config.name}: the {side} tokenizer, {kind.__name__}, has one segmentation of a text only; "
                    "take 'bpe', or name the other side in 'sides'"
                )

    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> EncodedExample:
        tokenizers = self._task.tokenizers()
        with ExitStack() as stack:
            for tokenizer in {id(t): t for t in (tokenizers[side] for side in self.config.sides)}.values():
                stack.enter_context(tokenizer.sampling(self.config.rate, generator))
            [sampled] = self._task.encode([example])
        changed: dict[str, Any] = {side: getattr(sampled, side) for side in self.config.sides}
        if "source" in changed:  # what is said there of source tokens
            changed["extras"] = {**encoded.extras, **sampled.extras}
        return replace(encoded, **changed)
