"""What watches a training run: our own log, progress and curves, and any plugin's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seq2seq_kit.evaluation.evaluate import Evaluation
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
    is best), ``model``, ``evaluated`` (the model as it is validated and saved), ``decoded`` (what the last validation
    decoded) and ``reason`` (why it ended; None: it goes on, or failed). It may call ``trainer.stop(reason)``, and must
    leave parameters alone, or a resumed run is no longer the same. Of several processes only the first has callbacks.

    Order: each hook is called for our own callbacks first (the log before all others), then for those of
    ``training.callbacks`` in their order, then for those that a program passed; ``on_failure`` and ``on_end`` the other
    way round. Within a step: ``on_step``, ``on_log``, ``on_save``; within a validation: ``on_validation_start``,
    ``on_decoded``, ``on_validation``, ``on_save`` of each file of weights, and then ``on_save`` of the state.

    Failures: what a hook raises ends the training. No further callback is told of that event; all that were started are
    told ``on_failure`` and ``on_end``, whatever the others do there. A plugin's failure becomes a sentence that names
    the plugin, the hook and the cause; the state is saved first (by one process alone), so that the run can be
    continued. What a program's own callback raises comes out as it is, at once.
    """

    def on_start(self, trainer: Trainer) -> None:
        """Before the first step, also of a resumed run: then ``trainer.state.step`` is above 0."""

    def on_step(self, trainer: Trainer, step: Step) -> None:
        """After each update."""

    def on_log(self, trainer: Trainer, record: Record) -> None:
        """After each ``training.log_every`` steps: their means."""

    def on_validation_start(self, trainer: Trainer) -> None:
        """Before a validation, which may take a while."""

    def on_decoded(self, trainer: Trainer, evaluation: Evaluation) -> None:
        """After a validation has decoded development examples with the engine: ``evaluation`` has ``examples``,
        ``outputs``, ``metrics`` and ``seconds``. Not called where ``training.validation_examples`` is 0, or the task
        has no metrics."""

    def on_save(self, trainer: Trainer, path: Path) -> None:
        """After a file of weights or of the state was written, whole, into the run folder."""

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        """After a validation; ``record["best"]`` says whether it is the best so far."""

    def on_failure(self, trainer: Trainer, error: BaseException) -> None:
        """When the training is interrupted (``KeyboardInterrupt``) or fails, before ``on_end``."""

    def on_end(self, trainer: Trainer) -> None:
        """After the last step, and when the training is interrupted or fails."""
