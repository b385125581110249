"""Compile the decoder of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.compile_step import compile_step, random_sources
from seq2seq_kit.decoding.compiled import Record, save, state_names
from seq2seq_kit.decoding.stepper import native_decoder
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Memory


def compile_run(run: Path, which: Literal["best", "last"] = "best") -> Path:
    """Compile the step of a run's decoder into the run folder, and return the package's path.

    Raises:
        CheckpointError: the run cannot be loaded.
        UserError: the decoder has a native stepper already, or its step cannot be compiled.
    """
    loaded = load_run(run, which)
    model, task = loaded.model.eval(), loaded.task
    decoder = model.decoder
    if native_decoder(decoder) is not None:
        raise UserError(
            f"{run}: its decoder, {type(decoder).__name__}, has a native stepper, which is used by itself: there is "
            "nothing to compile"
        )
    if decoder.copies:
        raise UserError(
            f"{run}: its decoder, {type(decoder).__name__}, copies words of the source, and there are none in the "
            "random sources that a step is compiled with: it is decoded by its Python step"
        )

    def memory_of(batch: int, length: int) -> Memory | None:
        if task.source_spec is None:
            return None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(batch + length)
            return model.encode(random_sources(task.source_spec, batch, length))

    with torch.no_grad():
        try:
            names = state_names(decoder.init_state(memory_of(1, 8), 1))
        except UserError:
            raise
        except Exception as error:  # an encoder that needs more of a batch, factors say, may raise anything
            raise UserError(f"{run}: cannot be compiled: its encoder needs more than a source ({error!r})") from error

    def write(path: Path) -> None:
        compile_step(decoder, memory_of, task.target_spec, path)

    return save(run, Record.of(run, loaded.config, which), decoder.score_kind, names, write)
