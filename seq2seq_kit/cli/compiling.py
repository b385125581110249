"""``s2s compile RUN``: a run's Python-only decoder, compiled for decoding."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_kit.cli import search_flags as flags


def add_to(cli: typer.Typer) -> None:
    """Add the command ``compile``."""
    cli.command("compile")(compile_)


def compile_(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    checkpoint: flags.Checkpoint = "best",
) -> None:
    """Compile the step of a run's decoder for this processor, so that a search runs no Python.

    It is for decoders of plugins that offer no native stepper. The code goes into RUN/compiled, and is used where
    '--stepper compiled' says so: loading it runs it, so do that with runs that you trust. Compiling needs a C++
    compiler. Compile again when the weights, torch or the processor change.

    Example: s2s compile runs/conv; s2s translate runs/conv --stepper compiled < input.txt
    """
    from seq2seq_kit.decoding.compile_run import compile_run

    flags.one_of("--checkpoint", checkpoint, ("best", "last"))
    began = time.perf_counter()
    path = compile_run(run, "best" if checkpoint == "best" else "last")
    print(f"{path}: compiled in {time.perf_counter() - began:.0f} s. Decode with --stepper compiled.")
