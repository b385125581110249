"""Noise: tokens that are hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform


class TokenMaskConfig(ComponentConfig):
    """Configuration of :class:`TokenMask`."""

    name: str = "token_mask"
    rate: float = Field(default=0.1, ge=0, lt=1)
    """The probability that a token of the source is hidden."""


class TokenMask(Transform):
    """Puts the unknown token in the place of source tokens, each with probability ``rate``; EOS stays."""

    def __init__(self, config: TokenMaskConfig, task: Task) -> None:
        self.config = config
        tokenizer = task.tokenizers().get("source")
        if tokenizer is None:
            raise ConfigError(f"data: {config.name}: the task {task.config.name!r} has no tokenizer of sources")
        self._unknown, self._eos = tokenizer.unk_id, tokenizer.eos_id

    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> EncodedExample:
        hidden = generator.random(len(encoded.source)) < self.config.rate
        return replace(
            encoded,
            source=[
                self._unknown if hide and token != self._eos else token
                for token, hide in zip(encoded.source, hidden, strict=True)
            ],
        )
