"""Keeps what the model wrote at its best validation."""

from __future__ import annotations

from typing import Any

from seq2seq_kit import Callback, ComponentConfig


class FrozenCallbackConfig(ComponentConfig):
    """The options of :class:`FrozenCallback`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    file: str = "best_outputs.txt"
    """The file, in the run folder."""


class FrozenCallback(Callback):
    """Writes the outputs of the best validation so far, one a line (see ``Callback`` for what else it can be told)."""

    def __init__(self, config: FrozenCallbackConfig) -> None:
        self.config = config

    def on_validation(self, trainer: Any, record: dict[str, Any]) -> None:
        if record["best"] and trainer.decoded is not None:
            lines = [f"{output.text}\n" for output in trainer.decoded.outputs]
            (trainer.run / self.config.file).write_text("".join(lines), encoding="utf-8")
