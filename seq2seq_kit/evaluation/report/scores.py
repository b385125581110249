"""The table of scores: each metric with its confidence interval, and how other runs differ from the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.evaluation.bootstrap import Floats, Interval, interval, p_value, resample, resample_sums
from seq2seq_kit.evaluation.report.facts import ReportedRun
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.registry import build, registry

COMPARED = ("bleu", "chrf", "ter")
"""Metrics by which several runs are compared beside those of their tasks."""


@dataclass(frozen=True)
class Score:
    """What one run has of one metric."""

    value: float
    interval: Interval | None
    difference: float | None = None
    """To the first run."""
    difference_interval: Interval | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class ScoreRow:
    """One metric."""

    name: str
    higher_is_better: bool
    signature: str
    scores: list[Score]
    baselines: list[float | None]


def score_rows(runs: Sequence[ReportedRun]) -> list[ScoreRow]:
    """A row for each metric that all runs have; of several runs, for :data:`COMPARED` too."""
    if not runs[0].result.examples:
        return []
    names = [name for name in runs[0].metrics if all(name in run.metrics for run in runs)]
    if len(runs) > 1:
        names += [name for name in COMPARED if name not in names]
    rows = [_row(name, runs) for name in names]
    if all(run.log_probs is not None for run in runs):
        rows.append(_perplexities(runs))
    return rows


def _row(name: str, runs: Sequence[ReportedRun]) -> ScoreRow:
    values, samples = [], []
    for run in runs:
        metric = run.metrics.get(name) or _default(name)
        value = run.result.metrics.get(name)
        values.append(metric(run.texts, run.references) if value is None else value)
        samples.append(resample(metric, run.texts, run.references))
    first = runs[0].result
    baselines = [own.get(name) for own in first.baselines.values()] if len(runs) == 1 else []
    signature = first.signatures.get(name) or metric.signature()
    return ScoreRow(name, metric.higher_is_better, signature, _scores(values, samples), baselines)


def _perplexities(runs: Sequence[ReportedRun]) -> ScoreRow:
    sums = [run.log_probs for run in runs if run.log_probs is not None]
    values = [_perplexity(own.sum(0)) for own in sums]
    samples: list[Floats | None] = [resample_sums(own, _perplexity) for own in sums]
    baselines: list[float | None] = [None for _ in runs[0].result.baselines] if len(runs) == 1 else []
    return ScoreRow("perplexity", False, "of a token of the references", _scores(values, samples), baselines)


def _perplexity(total: Floats) -> float:
    """Of a sum of log-probabilities and of tokens [2]."""
    return math.exp(min(700.0, -total[0] / max(1.0, total[1])))


def _scores(values: Sequence[float], samples: Sequence[Floats | None]) -> list[Score]:
    found = []
    for place, (value, own) in enumerate(zip(values, samples, strict=True)):
        sure = None if own is None else interval(own)
        if place == 0:
            found.append(Score(value, sure))
            continue
        difference, between, p = value - values[0], None, None
        if own is not None and samples[0] is not None and math.isfinite(difference):
            count = min(len(own), len(samples[0]))
            between = interval(own[:count] - samples[0][:count])
            p = None if between is None else p_value(difference, samples[0][:count], own[:count])
        found.append(Score(value, sure, difference, between, p))
    return found


def _default(name: str) -> Metric:
    """A metric as it is when nothing is said of it."""
    config = (registry().find("metric", name).load_config() or ComponentConfig)(name=name)
    metric: Metric = build("metric", config)
    return metric


def sentence_scores(runs: Sequence[ReportedRun]) -> tuple[str, list[list[float]]]:
    """The main metric that all runs have, and by it for each run the score of each output alone; no name, and no
    numbers, where they share none."""
    for name in runs[0].metrics:
        if runs[0].result.examples and all(name in run.metrics for run in runs):
            return name, [run.metrics[name].sentence_scores(run.texts, run.references) for run in runs]
    return "", [[math.nan] * len(run.texts) for run in runs]


def tie_breaks(run: ReportedRun, main: str) -> list[tuple[float, ...]]:
    """For each output its scores by the metrics other than the main one, greater for the better ones: exact matches and
    misses are many, and not alike."""
    columns = []
    for name, metric in run.metrics.items():
        if name != main and metric.bootstrap:
            sign = 1 if metric.higher_is_better else -1
            columns.append([sign * score for score in metric.sentence_scores(run.texts, run.references)])
    return list(zip(*columns, strict=True)) if columns else [()] * len(run.texts)
