"""What a training works with, built from its configuration: model, criterion, optimizer and what makes the updates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Criterion, Task
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.training.corpus import Corpus
from seq2seq_kit.training.fine_tuning import freeze, start_from, warn_of_unknown_tokens
from seq2seq_kit.training.learner import Learner
from seq2seq_kit.training.optimizers import make_optimizer
from seq2seq_kit.training.processes import Processes
from seq2seq_kit.training.shadow import Shadow, shadow_of
from seq2seq_kit.training.sharding import check_shardable
from seq2seq_kit.training.update import Updater


@dataclass(frozen=True)
class Parts:
    """See :func:`build_parts`."""

    learner: Learner  # what the optimizer changes: the model and the criterion
    shadow: Shadow | None  # what is validated and saved in the place of the model
    optimizer: torch.optim.Optimizer
    update: Updater

    @property
    def evaluated(self) -> Model:
        """The model that is validated and saved: the learner's, or what ``ema_decay`` and ``lora`` make of it."""
        return self.shadow.model if self.shadow else self.learner.model


def build_parts(config: RunConfig, task: Task, corpus: Corpus, processes: Processes, start: Path | None) -> Parts:
    """Model and criterion with fresh parameters on the processes' device, and what is to train them.

    Args:
        start: a run whose best weights to start from.

    Raises:
        UserError: the parts do not fit each other, the task or ``start``.
    """
    training = config.training
    shared = task.shared_vocabulary
    model = build_model(config.model, task.source_spec, task.target_spec, shared_vocabulary=shared)
    _check_copying(config, task, model)
    model.to(processes.device)
    if start is not None:
        start_from(start, model, task)
        warn_of_unknown_tokens(start, corpus.dev, task)
    freeze(model, training.freeze)
    shadow = shadow_of(model, training)
    criterion: Criterion = build("criterion", config.criterion, task.target_spec).to(processes.device)
    criterion.attach(task)
    learner = Learner(model, criterion)
    if shadow:
        learner.register_forward_pre_hook(shadow.before_forward)
    if training.sharding == "fsdp" and processes.count > 1:
        check_shardable(learner)
    optimizer = make_optimizer(training, learner)
    return Parts(learner, shadow, optimizer, Updater(training, learner, optimizer, processes))


def _check_copying(config: RunConfig, task: Task, model: Model) -> None:
    """Task and decoder agree on whether targets may hold words of the source's own."""
    if task.copies == model.decoder.copies:
        return
    decoder = config.model.decoder.name
    if task.copies:
        raise ConfigError(
            f"task.copying: the decoder {decoder!r} copies no words of the source: use one that does, such as 'copy' "
            "of the plugin seq2seq-kit-copy, or leave copying out"
        )
    raise ConfigError(
        f"model.decoder: {decoder!r} copies words of the source, and the task {config.task.name!r} does not say which "
        "there are: set task.copying to true"
    )
