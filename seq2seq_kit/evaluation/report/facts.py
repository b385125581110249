"""What was evaluated, how, and with which versions."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_kit import __version__
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.evaluation.evaluate import Evaluation
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.manifest import BEST, LAST, read_manifest
from seq2seq_kit.sealed import read_facts

_LIBRARIES = ("tokenizers", "sacrebleu", "rouge-score", "jiwer")
N_BEST = 5
"""Hypotheses of an example to show, where the search has so many."""
Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class ReportedRun:
    """One evaluated run.

    Args:
        name: as the page calls it: the path that was given.
        facts: (label, value) pairs about the run and its decoding.
        options: (name, value) pairs, all search options.
        components: (section, name, distribution and version) of all it is made of.
        metrics: of its task, by name.
        result: outputs and scores.
        log_probs: of each example the log-probability in nats and the tokens of its target, [N, 2], where the task
            measures the perplexity.
    """

    name: str
    facts: Rows
    options: Rows
    components: list[tuple[str, str, str]]
    metrics: dict[str, Metric]
    result: Evaluation
    log_probs: NDArray[np.float64] | None = None

    @property
    def texts(self) -> list[str]:
        """The outputs."""
        return [output.text for output in self.result.outputs]

    @property
    def references(self) -> list[list[str]]:
        """Of each output."""
        return [example.references for example in self.result.examples]


def detailed(options: SearchOptions) -> SearchOptions:
    """The options with what the page shows beside an output: its attention, and further hypotheses where asking for
    them does not change what comes first."""
    more = options.n_best == 1 and options.semantics in ("kit", "hf") and not options.alternatives
    return replace(options, attention=True, n_best=min(options.beam_size, N_BEST) if more else options.n_best)


def reported_run(
    name: str,
    pipeline: Pipeline,
    options: SearchOptions,
    result: Evaluation,
    log_probs: NDArray[np.float64] | None,
    notices: Sequence[str],
    checkpoint: str,
    batch_size: int,
) -> ReportedRun:
    """A run as it was loaded and evaluated; see :class:`ReportedRun`."""
    manifest = read_manifest(pipeline.run)
    rate = result.tokens / max(result.seconds, 1e-9)
    facts = [
        ("task", pipeline.config.task.name),
        ("weights", _weights(pipeline, checkpoint)),
        ("trained with", f"seq2seq_kit {manifest.kit_version}, torch {manifest.torch_version}"),
        ("search", _search(options)),
        ("decoded", f"on {pipeline.device}, stepper {pipeline.stepper}, {pipeline.precision}, batches of {batch_size}"),
        ("speed", f"{result.seconds:,.1f} s, {rate:,.0f} tokens/s"),
        *(("note", notice) for notice in notices),
    ]
    return ReportedRun(
        name=name,
        facts=facts,
        options=[(field.name, str(getattr(options, field.name))) for field in fields(options)],
        components=[(c.path, c.name, f"{c.distribution} {c.version}") for c in manifest.components],
        metrics=pipeline.task.metrics(),
        result=result,
        log_probs=log_probs,
    )


def common_facts(data: str, runs: Sequence[ReportedRun]) -> Rows:
    """What is the same for all runs: the data, and this installation."""
    examples = runs[0].result.examples
    references = sum(len(example.references) for example in examples)
    libraries = [f"{name} {found}" for name in _LIBRARIES if (found := _version(name))]
    return [
        ("data", data),
        ("examples", f"{len(examples):,} with {references:,} references"),
        ("date", datetime.now().astimezone().isoformat(" ", "minutes")),
        ("versions", ", ".join([f"seq2seq_kit {__version__}", f"torch {torch.__version__}", *libraries])),
        ("machine", f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"),
    ]


def _search(options: SearchOptions) -> str:
    """Whose rules, how wide, and what else is not as it would be by default."""
    kept = ("semantics", "beam_size")
    silent = ("attention", "bos_id", "eos_ids", "unk_id")
    changed = [
        f"{field.name} = {getattr(options, field.name)}"
        for field in fields(options)
        if field.name in kept or (field.name not in silent and getattr(options, field.name) != field.default)
    ]
    return ", ".join(changed)


def _weights(pipeline: Pipeline, checkpoint: str) -> str:
    try:
        step = read_facts(pipeline.run / (BEST if checkpoint == "best" else LAST)).get("step")
    except CheckpointError:  # replaced since it was loaded
        step = None
    return checkpoint if step is None else f"{checkpoint}, of step {step:,}"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
