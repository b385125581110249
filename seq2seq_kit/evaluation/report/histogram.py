"""Histograms as an SVG is drawn of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 480, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 18, 12, 28
_BINS = 20
_OUTLIERS = 99
"""What lies far above this percentile, or far below its opposite, shares a bin."""


@dataclass(frozen=True)
class Bar:
    """One bar, in the units of the picture."""

    series: int
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Histogram:
    """How often values of each series lie in each bin.

    Args:
        series: (name, summary) of each.
        x_ticks: (position, label) pairs; ``y_ticks`` likewise.
    """

    title: str
    series: list[tuple[str, str]]
    bars: list[Bar]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    bottom: int = HEIGHT - _BOTTOM


def histogram(title: str, series: Mapping[str, Sequence[float]]) -> Histogram | None:
    """A histogram with bins of one round width for all series; None where there is no finite value.

    What lies far outside the rest is counted in the outermost bins, whose bars say so.
    """
    values = {name: np.array([v for v in own if math.isfinite(v)]) for name, own in series.items()}
    everything = np.concatenate(list(values.values()))
    if not everything.size:
        return None
    low, high = _range(everything)
    whole = bool((everything % 1 == 0).all())
    step = _round_step((high - low) / _BINS, whole=whole)
    first = math.floor(low / step)
    last = max(first, math.floor(high / step) if whole else math.ceil(high / step) - 1)  # a score of 100 is below 100
    edges = [step * place for place in range(first, last + 2)]
    counts = {name: _counts(own, step, first, last) for name, own in values.items()}
    most = max(max(own) for own in counts.values())
    across = (WIDTH - _LEFT - _RIGHT) / (last + 1 - first)
    down = (HEIGHT - _TOP - _BOTTOM) / max(1, most)
    bars = []
    for place, (name, own) in enumerate(counts.items()):
        width = across * 0.9 / len(counts)
        for i, count in enumerate(own):
            if count:
                more = " or less" if i == 0 and everything.min() < edges[0] else ""
                more = " or more" if i == len(own) - 1 and everything.max() > edges[-1] - whole else more
                label = f"{name}: {count:,} of {_bounds(edges[i], edges[i + 1] - whole)}{more}"
                x = _LEFT + across * (i + 0.05) + place * width
                height = round(max(1.0, count * down), 1)
                y = round(HEIGHT - _BOTTOM - height, 1)
                bars.append(Bar(place, round(x, 1), y, round(width, 1), height, label))
    every = math.ceil(len(edges) / 7)
    centre = across / 2 if whole else 0.0
    named = edges[:-1] if whole else edges
    return Histogram(
        title,
        [(name, _summary(own)) for name, own in values.items()],
        bars,
        [(round(_LEFT + across * i + centre, 1), _label(edge)) for i, edge in enumerate(named) if i % every == 0],
        [(round(HEIGHT - _BOTTOM - count * down, 1), f"{count:,}") for count in sorted({0, most // 2, most})],
    )


def _range(values: np.ndarray) -> tuple[float, float]:
    """From where to where bins are drawn: as far as there are values, but for outliers."""
    low = float(np.percentile(values, 100 - _OUTLIERS, method="lower"))
    high = float(np.percentile(values, _OUTLIERS, method="higher"))
    far = (high - low) / 4
    least, most = float(values.min()), float(values.max())
    return least if least >= low - far else low, most if most <= high + far else high


def _counts(values: np.ndarray, step: float, first: int, last: int) -> list[int]:
    places = np.clip(np.floor(values / step).astype(int), first, last) - first
    return [int(count) for count in np.bincount(places, minlength=last - first + 1)]


def _round_step(width: float, *, whole: bool) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if width <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= width * (1 - 1e-9))
    return max(1.0, step) if whole else step


def _summary(values: np.ndarray) -> str:
    if not values.size:
        return "none"
    return f"mean {values.mean():.4g}, median {np.median(values):.4g}, {values.min():.4g} to {values.max():.4g}"


def _bounds(low: float, high: float) -> str:
    return _label(low) if low == high else f"{_label(low)} to {_label(high)}"


def _label(value: float) -> str:
    return f"{value:.10g}" if abs(value) < 1e6 else f"{value:.3g}"
