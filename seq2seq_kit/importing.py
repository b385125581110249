"""Checkpoints of other toolkits as run folders, and back: what all importers share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml

from seq2seq_kit.checkpoint import load_weights, save_task, save_weights, write_manifest
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Importer, Task
from seq2seq_kit.manifest import BEST
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import make_config
from seq2seq_kit.sealed import explain_write_errors, write_atomically

CONFIG = "config.yaml"
"""The configuration of an imported run, to be fine-tuned with."""
FOR_FINE_TUNING: dict[str, Any] = {
    "data": {"train": ["train.tsv"], "dev": ["dev.tsv"]},
    "training": {"max_steps": 1000, "learning_rate": 5e-5, "optimizer": "adamw"},
}
"""What a run must be configured with and an imported one never was: places for the user's own."""


def import_run(importer: Importer, source: str, run: Path) -> Model:
    """Write the checkpoint called ``source`` as a run folder, which decodes, is evaluated, and can be trained from.

    Args:
        run: a new or empty folder. Nothing is left of it if the import fails.

    Returns: the model.

    Raises:
        UserError: the importer cannot read the checkpoint, or ``run`` is not empty.
    """
    with _new_folder(run):
        imported = importer.read(source)
        values = FOR_FINE_TUNING | dict(imported.config)
        config = make_config(values, [], source)
        task: Task = build("task", config.task)
        task.prepare(())
        with torch.device("meta"):  # parameters that are to be replaced need no memory, and no random numbers
            shared = task.shared_vocabulary
            model = build_model(config.model, task.source_spec, task.target_spec, shared_vocabulary=shared)
        load_weights(model, imported.tensors, run / BEST, assign=True)
        save_task(run, task)
        save_weights(run, model, {"step": 0, "imported": {"from": source, **imported.facts}})
        written = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
        write_atomically(run / CONFIG, written.encode())
        write_manifest(run, config)
        return model


def export_run(importer: Importer, run: Path, folder: Path) -> None:
    """Write the best weights of a run as a checkpoint of another toolkit.

    Args:
        folder: new or empty. Nothing is left of it if the export fails.

    Raises:
        CheckpointError: the run is missing or damaged.
        UserError: the other toolkit has no such model, or ``folder`` is not empty.
    """
    with _new_folder(folder):
        importer.write(Pipeline(run, torch.device("cpu")), folder)


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and take it away again, with all that is in it, where what is to fill it fails."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is {'not empty' if folder.is_dir() else 'a file'}; choose another folder")
    existed = folder.exists()
    with explain_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:  # a full disk, Ctrl-C
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed:
            folder.rmdir()
        raise
