"""What verbs that decode share on the command line: which runs, and how they search."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.decoding.presets import preset
from seq2seq_kit.errors import UserError

if TYPE_CHECKING:
    from seq2seq_kit.decoding.pipeline import Pipeline

BeamSize = Annotated[int | None, typer.Option(help="Hypotheses kept a sentence; 1 is greedy.")]
LengthPenalty = Annotated[float | None, typer.Option(help="Exponent of the length in the score.")]
MinLength = Annotated[int | None, typer.Option(help="Fewest tokens of an output.")]
MaxLength = Annotated[int | None, typer.Option(help="Most tokens of an output.")]
Rules = Annotated[str | None, typer.Option("--semantics", help=f"Whose rules: {', '.join(get_args(Semantics))}.")]
Preset = Annotated[str | None, typer.Option(help="Start from a toolkit's own options, e.g. fairseq, not the run's.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Any search option: FIELD=VALUE, the value in YAML.")
]
Sampling = Annotated[
    str | None, typer.Option(help="'tokens': draw --beam-size samples; 'beams': beams of drawn tokens.")
]
Temperature = Annotated[float | None, typer.Option(help="Scores are divided by it; below 1 is more certain.")]
TopK = Annotated[int | None, typer.Option(help="Draw from the k likeliest tokens.")]
TopP = Annotated[float | None, typer.Option(help="Draw from the likeliest tokens with this probability.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the samples.")]
NoRepeat = Annotated[int | None, typer.Option("--no-repeat-ngram", help="No n-gram of this size comes twice.")]
Repetition = Annotated[float | None, typer.Option("--repetition-penalty", help="Above 1: words come again less often.")]

Partners = Annotated[
    list[Path] | None, typer.Option("--ensemble", help="A further run that answers together with RUN.")
]
Weights = Annotated[str | None, typer.Option(help="Of the runs of an ensemble, RUN first: 2,1,1.")]
Combination = Annotated[str, typer.Option(help="Of an ensemble: 'linear' or 'log_linear'.")]
Checkpoint = Annotated[str, typer.Option(help="'best' or 'last'.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")]
Threads = Annotated[int | None, typer.Option(help="Native steppers: batches decoded at a time; else torch's threads.")]
Stepper = Annotated[str, typer.Option(help="What steps the decoder: native (C++), op, python, compiled, auto.")]
Precision = Annotated[str, typer.Option(help="Of a native stepper: 'fp32', 'bf16' or 'int8'.")]
OnError = Annotated[str, typer.Option(help="A malformed line: 'stop', or 'skip' it.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="The same as --on-error skip: the rest is still done.")]
BatchSize = Annotated[int, typer.Option(help="Sentences a batch.", min=1)]


def skips(on_error: str, skip_bad: bool) -> bool:
    """Are bad lines to be skipped?"""
    one_of("--on-error", on_error, ("stop", "skip"))
    return skip_bad or on_error == "skip"


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not among those allowed."""
    if value not in allowed:
        raise UserError(f"{option} must be {' or '.join(allowed)}, got {value!r}")


def open_runs(
    run: Path,
    partners: list[Path] | None,
    weights: str | None,
    combination: str,
    checkpoint: str,
    device: str,
    threads: int | None,
    stepper: str = "auto",
    precision: str = "fp32",
) -> Pipeline:
    """The pipeline of a run, or of an ensemble of runs."""
    from seq2seq_kit.decoding.run_ensemble import load_ensemble

    one_of("--checkpoint", checkpoint, ("best", "last"))
    how: dict[str, Any] = {"combination": combination, "device": device, "threads": threads, "which": checkpoint}
    how |= {"stepper": stepper, "precision": precision}
    return load_ensemble([run, *(partners or [])], weights=_numbers(weights), **how)


def _numbers(text: str | None) -> list[float] | None:
    try:
        return None if text is None else [float(number) for number in text.split(",")]
    except ValueError:
        raise UserError(f"--weights must be numbers with commas between them, for instance 2,1, got {text!r}") from None


def search_options(
    pipeline: Pipeline, start: str | None = None, settings: list[str] | None = None, **named: Any
) -> SearchOptions:
    """The run's options, or those of the preset ``start``; then ``--set``, then the named flags that were given."""
    from seq2seq_kit.decoding.search import check_options
    from seq2seq_kit.run_config import search_options as with_settings

    base = pipeline.config.search if start is None else preset(start)
    given = {name: value for name, value in named.items() if value is not None}
    options = dataclasses.replace(with_settings(base, settings or []), **given)
    check_options(options)
    return options
