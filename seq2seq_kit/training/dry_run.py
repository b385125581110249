"""What a training would be: its parameters, the memory it needs, its first batch; nothing is trained or written."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq_kit.data.report import Report
from seq2seq_kit.data.streaming import StreamedSet
from seq2seq_kit.data.training_set import TrainingSet, lengths
from seq2seq_kit.decoding.search import check_options
from seq2seq_kit.device import check_device
from seq2seq_kit.interfaces import EncodedExample, Task
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.training.corpus import load_corpus, token_batches
from seq2seq_kit.training.fine_tuning import task_of
from seq2seq_kit.training.processes import Processes
from seq2seq_kit.training.trainer import Trainer

STREAMED = 100
"""Batches of a stream to look at."""


@dataclass(frozen=True)
class Parameter:
    """One tensor of the model."""

    name: str
    shape: tuple[int, ...]
    learned: bool


@dataclass(frozen=True)
class Memory:
    """Bytes on the device, as a training holds them at its peak."""

    weights: int
    shadow: int  # the copy that EMA or adapters need
    optimizer: int
    update: int  # gradients, activations and work space: the most that one update of the largest batch takes
    batch: tuple[int, int, int]  # examples, source and target positions of that batch

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.shadow + self.optimizer + self.update


@dataclass(frozen=True)
class DryRun:
    """What :func:`dry_run` found."""

    parameters: list[Parameter]  # of the model
    memory: Memory
    report: Report  # of the training data
    batches: int  # of the first epoch, or of a stream the first ones, at most STREAMED: what was looked at
    first_batch: list[tuple[list[str], list[str]]]  # source and target tokens of each example


def dry_run(config: RunConfig, *, device: str = "cpu", start: Path | None = None) -> DryRun:
    """Prepare a training as ``train`` does, and measure one update of its largest batch.

    The data are read and encoded into a temporary folder. The update is thrown away with the model.

    Raises:
        UserError: as for ``train``.
    """
    check_options(config.search)
    random.seed(config.seed)
    torch.manual_seed(config.seed)
    task: Task = build("task", config.task) if start is None else task_of(start, config)
    data = config.data.model_copy(update={"cache": None})
    with TemporaryDirectory() as folder:
        corpus = load_corpus(data, task, prepare=start is None, seed=config.seed, folder=Path(folder))
        trainer = Trainer(config, Path(folder), task, corpus, Processes(check_device(device)), (), start)
        parameters = [Parameter(n, tuple(p.shape), p.requires_grad) for n, p in trainer.model.named_parameters()]
        first, largest, count = _batches(trainer, corpus.train)
        memory = _measure(trainer, largest)
        return DryRun(parameters, memory, corpus.report, count, [_tokens(task, example) for example in first])


def _batches(
    trainer: Trainer, data: TrainingSet | StreamedSet
) -> tuple[list[EncodedExample], list[EncodedExample], int]:
    """The first batch of the first epoch, the one with the most positions (padding included), and of how many."""
    if isinstance(data, TrainingSet):
        indices = token_batches(data, trainer.config.training.batch_tokens, trainer.config.seed).batches(0)
        largest = max(indices, key=lambda batch: len(batch) * int(data.lengths[batch].max(0).sum()))
        return data.take(indices[0], 0), data.take(largest, 0), len(indices)
    stream: Any = token_batches(data, trainer.config.training.batch_tokens, trainer.config.seed).batches(0)
    found: list[list[EncodedExample]] = []
    while len(found) < STREAMED and not stream.ends_at(len(found)):
        found.append(data.take(stream[len(found)], 0))
    return found[0], max(found, key=_positions), len(found)


def _positions(examples: Sequence[EncodedExample]) -> int:
    sizes = np.array([lengths(example) for example in examples])  # [B, 2]
    return len(examples) * int(sizes.max(0).sum())


def _measure(trainer: Trainer, examples: Sequence[EncodedExample]) -> Memory:
    batch = trainer.task.collate(examples)
    assert batch.target is not None
    parts = trainer.parts
    parts.learner.train()
    forcing = build("schedule", trainer.config.training.teacher_forcing)(1)

    def update() -> None:
        parts.update([batch], 0.0, forcing)  # at a learning rate of 0

    update()  # the optimizer makes its state
    parts.optimizer.zero_grad()
    peak = _peak(update, trainer.device)
    state = [x for values in parts.optimizer.state.values() for x in values.values() if isinstance(x, Tensor)]
    return Memory(
        weights=_bytes(parts.learner.parameters()),
        shadow=_bytes(parts.shadow.model.parameters()) if parts.shadow else 0,
        optimizer=_bytes(state),
        update=peak,
        batch=(len(batch), batch.source.shape[1], batch.target.shape[1]),
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(x.numel() * x.element_size() for x in tensors)


def _peak(work: Callable[[], None], device: torch.device) -> int:
    """The most bytes that ``work`` has allocated on the device at a time."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler would talk on stderr
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    assert profile.profiler is not None and profile.profiler.kineto_results is not None
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def _tokens(task: Task, example: EncodedExample) -> tuple[list[str], list[str]]:
    """Source and target tokens as a person would read them; ids where a task names no tokenizer. Of frames there is
    their number."""
    tokenizers = task.tokenizers()

    def named(side: str, ids: Sequence[int]) -> list[str]:
        return tokenizers[side].tokens(ids) if side in tokenizers else [str(token) for token in ids]

    source = named("source", example.source) if example.frames is None else [f"({len(example.frames):,} frames)"]
    return source, named("target", example.target or [])
