"""What watches a training run: our own log, progress and curves, and any plugin's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

Record = dict[str, Any]
"""One line of ``metrics.jsonl``; see :mod:`seq2seq_kit.training.log` for its fields."""


@dataclass(frozen=True)
class Step:
    """One update, as it just happened."""

    step: int  # counted from 1
    loss: float  # mean over target tokens, in nats
    tokens: int  # target tokens, EOS included
    seconds: float
    gradient_norm: float  # before clipping
    learning_rate: float
    teacher_forcing: float  # the probability of feeding the reference
    padding: float  # the share of positions, source and target, that are padding


class Callback:
    """Watches a run: override what you need. Built as ``cls(config)``.

    A callback reads its trainer's ``config``, ``run`` (the folder), ``task``, ``state``, ``metric`` (the name of what
    is best), ``model``, ``evaluated`` (the model as it is validated and saved) and, after a validation, ``decoded`` (an
    ``Evaluation``: examples, outputs, metrics). It may call ``trainer.stop(reason)``, and must leave parameters alone,
    or a resumed run is no longer the same. Of several processes only the first has callbacks. An exception from a
    callback ends the training with that exception.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step, also of a resumed run: then ``trainer.state.step`` is above 0."""

    def on_step(self, trainer: Trainer, step: Step) -> None:
        """After each update."""

    def on_log(self, trainer: Trainer, record: Record) -> None:
        """After each ``training.log_every`` steps: their means."""

    def on_validation_start(self, trainer: Trainer) -> None:
        """Before a validation, which may take a while."""

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        """After a validation; ``record["best"]`` says whether it is the best so far."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last step, and when the training is interrupted or fails."""
