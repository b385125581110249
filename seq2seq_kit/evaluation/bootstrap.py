"""How sure a score is: bootstrap resampling of the examples (Efron 1979), paired where runs are compared (Koehn 2004).

The draws are those of sacreBLEU for its default seed, and so are the interval and p: of its metrics the figures are the
same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.interfaces import Metric

SAMPLES = 1000
"""Resamples of the test set."""
FEWEST = 100
"""With fewer of them nothing is said."""
SEED = 12345
PATIENCE = 30.0
"""Seconds for the resamples of a metric without :meth:`~seq2seq_kit.interfaces.Metric.statistics`."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """The bounds within which 95% of the resamples score."""

    low: float
    high: float
    samples: int


def resample(
    metric: Metric, outputs: Sequence[str], references: Sequence[Sequence[str]], samples: int = SAMPLES
) -> Floats | None:
    """The scores of resamples of a test set [samples]; the same examples are drawn for every metric and every system.

    A metric that gives no statistics scores each resample anew: then there are fewer of them where all would take
    longer than :data:`PATIENCE`.

    Returns: None where the metric cannot be resampled, or where time allows fewer than :data:`FEWEST` resamples.
    """
    if not metric.bootstrap or not outputs:
        return None
    statistics = metric.statistics(outputs, references)
    if statistics is not None:
        return resample_sums(statistics, metric.combine, samples)
    scores: list[float] = []
    start = time.perf_counter()
    for drawn in _draws(len(outputs), samples):
        scores.append(metric([outputs[i] for i in drawn], [references[i] for i in drawn]))
        if (time.perf_counter() - start) / len(scores) * min(FEWEST, samples) > PATIENCE:
            return None
        if time.perf_counter() - start > PATIENCE and len(scores) >= FEWEST:
            break
    return np.array(scores)


def resample_sums(statistics: Floats, combine: Callable[[Floats], float], samples: int = SAMPLES) -> Floats:
    """The scores of resamples [samples], from what each example adds [N, D] and the score of a sum [D]."""
    count = len(statistics)
    totals = (np.bincount(drawn, minlength=count) @ statistics for drawn in _draws(count, samples))
    return np.array([combine(total) for total in totals])


def interval(scores: Floats) -> Interval | None:
    """Of the scores of resamples; None where one of them is no number."""
    if not np.isfinite(scores).all():
        return None
    ordered, cut = np.sort(scores), len(scores) // 40
    return Interval(float(ordered[cut]), float(ordered[-1 - cut]), len(scores))


def p_value(difference: float, first: Floats, second: Floats) -> float:
    """How often chance alone would make such a ``difference`` between two systems, from their paired resamples.

    None at all is certain to be chance.
    """
    if difference == 0:
        return 1.0
    gaps = np.abs(second - first)
    more = np.count_nonzero(gaps - gaps.mean() > abs(difference))
    return (more + 1) / (len(gaps) + 1)


def _draws(count: int, samples: int) -> Iterator[NDArray[np.int64]]:
    """For each resample ``count`` places of examples."""
    generator = np.random.default_rng(SEED)
    for _ in range(samples):
        yield generator.choice(count, size=count, replace=True)
