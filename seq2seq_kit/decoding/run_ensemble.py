"""Several trained runs that answer as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.compiled import load as load_compiled
from seq2seq_kit.decoding.ensemble import Combination
from seq2seq_kit.decoding.generate import System
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.pipeline import Pipeline, load
from seq2seq_kit.decoding.stepper import Stepper
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example, Precision, Task


def load_ensemble(
    runs: Sequence[str | Path],
    *,
    weights: Sequence[float] | None = None,
    combination: Combination = "linear",
    device: str = "cpu",
    threads: int | None = None,
    which: Literal["best", "last"] = "best",
    stepper: Stepper = "auto",
    precision: Precision = "fp32",
) -> Pipeline:
    """Load runs of any families with one target vocabulary; each reads the source with its own tokenizer and encoder.

    The search options, the processors, the attention and the form of the outputs are those of the first run.

    Args:
        runs: run folders, at least one.
        weights: one for each run, not negative; default: 1 each.
        combination: ``"linear"`` or ``"log_linear"``; see :class:`~seq2seq_kit.decoding.ensemble.Ensemble`.
        device: as for :func:`~seq2seq_kit.decoding.pipeline.load`, like ``threads``, ``which``, ``stepper`` and
            ``precision``.

    Raises:
        CheckpointError: as for :func:`~seq2seq_kit.decoding.pipeline.load`.
        UserError: the target vocabularies differ (the message says where), or the first run alone has no source.
    """
    if not runs:
        raise UserError("an ensemble needs at least one run")
    weights = [1.0] * len(runs) if weights is None else list(weights)
    fit = len(weights) == len(runs) and all(0 <= weight < math.inf for weight in weights)
    if not fit or max(weights) == 0:
        raise UserError(f"weights = {weights}: must be {len(runs)} numbers of at least 0, not all 0: one for each run")
    if combination not in get_args(Combination):
        raise UserError(f"combination must be {' or '.join(get_args(Combination))}, got {combination!r}")
    pipeline = load(runs[0], device=device, threads=threads, which=which, stepper=stepper, precision=precision)
    for run, weight in list(zip(runs, weights, strict=True))[1:]:
        loaded = load_run(Path(run), which, pipeline.device)
        if pipeline.task.source_spec is None and loaded.task.source_spec is not None:
            raise UserError(f"{run}: reads a source, which {pipeline.run} has not: give a run that reads one first")
        _check_same_target(pipeline.run, pipeline.task, Path(run), loaded.task)
        if stepper == "compiled":
            loaded.model.decoder.compiled = load_compiled(Path(run), loaded.config, loaded.model.decoder, which)
        pipeline.partners.append(System(loaded.model.eval(), loaded.task, weight))
    pipeline.weight, pipeline.combination = weights[0], combination
    return pipeline


def _check_same_target(run: Path, task: Task, other_run: Path, other: Task) -> None:
    what = f"{other_run}: cannot join {run}, whose target vocabulary is another"
    if task.target_spec != other.target_spec:
        raise UserError(f"{what}: {other.target_spec}, not {task.target_spec}")
    for token, (one, two) in enumerate(zip(_tokens(task), _tokens(other), strict=True)):
        if one != two:
            raise UserError(f"{what}: token {token} is {two[0]!r}, not {one[0]!r}")


def _tokens(task: Task) -> list[tuple[str, list[str]]]:
    """Each token of the target as text and as a person would read it."""
    alone = [Hypothesis([token], 0.0, 0.0, []) for token in range(task.target_spec.vocab_size)]
    first = task.decode(Example(""), alone)
    return [(output.text, output.tokens) for output in [first, *first.alternatives]]
