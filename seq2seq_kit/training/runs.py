"""A run begins or goes on: what ``s2s train`` does, in one process or in several."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch

from seq2seq_kit.checkpoint import check_same_state, load_run_config, load_task, save_task, write_manifest
from seq2seq_kit.decoding.search import check_options
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Task
from seq2seq_kit.manifest import read_manifest
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.sealed import explain_write_errors
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.corpus import load_corpus
from seq2seq_kit.training.fine_tuning import task_of
from seq2seq_kit.training.processes import Processes, start_processes
from seq2seq_kit.training.run_folder import DATA, check_empty, removed_on_failure, sole_writer
from seq2seq_kit.training.trainer import Summary, Trainer


def train(
    config: RunConfig, out: Path, *, device: str = "cpu", callbacks: Sequence[Callback] = (), start: Path | None = None
) -> Summary:
    """Train a new model into the run folder ``out``, which must be empty or not exist.

    Args:
        callbacks: in addition to those of the configuration and our own log, curves and progress.
        start: a run whose tokenizers and best weights to start from.

    Raises:
        UserError: the configuration, the data or the folder is not usable, or the training diverged.
        KeyboardInterrupt: after Ctrl-C; the state is saved, see :func:`resume`.
    """
    processes = start_processes(device)
    if not processes.first:
        return _take_part(processes)
    check_empty(out)
    check_options(config.search)
    random.seed(config.seed)
    torch.manual_seed(config.seed)
    task: Task = build("task", config.task) if start is None else task_of(start, config)
    with removed_on_failure(out):
        corpus = load_corpus(config.data, task, prepare=start is None, seed=config.seed, folder=out / DATA)
        trainer = Trainer(config, out, task, corpus, processes, callbacks, start)
    with explain_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with sole_writer(out):
        save_task(out, task)
        trainer.save()
        write_manifest(out, config)
        processes.from_first(out)
        return trainer.fit()


def resume(
    run: Path, overrides: Sequence[str] = (), *, device: str = "cpu", callbacks: Sequence[Callback] = ()
) -> Summary:
    """Continue a run from its last saved state; on a CPU the result is that of the unbroken run, bit for bit.

    That holds for the same data, the same number of threads and the same torch.

    Args:
        overrides: ``key=value`` changes of the sections ``training`` and ``search``, for instance a later end.

    Raises:
        CheckpointError: there is nothing to continue from, or it is damaged.
        UserError: as for :func:`train`.
    """
    processes = start_processes(device)
    if not processes.first:
        return _take_part(processes)
    for override in overrides:
        fixed = ("training.batch_tokens", "training.optimizer", "training.lora")
        if not override.startswith(("training.", "search.")) or override.startswith(fixed):
            but = "but batch_tokens, which orders the data, optimizer, which has a state, lora, which makes parameters"
            raise ConfigError(f"--set {override}: a resumed run may change training.* ({but}) and search.* only")
    manifest = read_manifest(run)
    check_same_state(run, manifest)
    with sole_writer(run):
        config = load_run_config(run, manifest, list(overrides), watched=True)
        check_options(config.search)
        task = load_task(run, manifest, config)
        corpus = load_corpus(config.data, task, prepare=False, seed=config.seed, folder=run / DATA)
        trainer = Trainer(config, run, task, corpus, processes, callbacks)
        trainer.restore()
        write_manifest(run, config)
        processes.from_first(run)
        return trainer.fit()


def _take_part(processes: Processes) -> Summary:
    """Train in another than the first process, from what that one has written into the run folder."""
    run: Path = processes.from_first(Path())
    manifest = read_manifest(run)
    config = load_run_config(run, manifest)
    task = load_task(run, manifest, config)
    corpus = load_corpus(config.data, task, prepare=False, seed=config.seed, folder=run / DATA)
    trainer = Trainer(config, run, task, corpus, processes, ())
    trainer.restore()
    return trainer.fit()
