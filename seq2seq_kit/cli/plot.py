"""Curves in a terminal, in Braille characters of 2 × 4 dots. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a Braille character (U+2800 and on), by row and column."""
_BLANK = 0x2800


def plot(line: Sequence[Point], points: Sequence[Point] = (), *, width: int = 60, height: int = 10) -> list[str]:
    """A curve through ``line``, and ``points`` as ``●`` over it; both axes as far as there are values.

    Args:
        line: (x, y) pairs in the order of x; what is not finite is left out, here and in ``points``.
        width: columns of the curve; the numbers beside it come on top of them.
        height: rows of it.

    Returns: lines of text; none where there is nothing to draw.
    """
    line = [point for point in line if all(map(math.isfinite, point))]
    points = [point for point in points if all(map(math.isfinite, point))]
    if not line and not points:
        return []
    xs, ys = zip(*line, *points, strict=True)
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)

    def column(x: float, columns: int) -> int:
        return round((x - left) / (right - left or 1) * (columns - 1))

    def row(y: float, rows: int) -> int:
        return round((high - y) / (high - low or 1) * (rows - 1))

    dots = [(column(x, 2 * width), row(y, 4 * height)) for x, y in line]
    cells = [[_BLANK] * width for _ in range(height)]
    for x, y in _connected(dots):
        cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    canvas = [[chr(cell) if cell > _BLANK else " " for cell in cells_of_row] for cells_of_row in cells]
    for point in points:
        canvas[row(point[1], height)][column(point[0], width)] = "●"

    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"][:height]
    margin = max(map(len, labels))
    rows = [f"{label:>{margin}} ┤{''.join(shown)}".rstrip() for label, shown in zip(labels, canvas, strict=True)]
    ends = f"{left:,.10g}", f"{right:,.10g}"
    below = f"{ends[0]}{ends[1]:>{max(1, width - len(ends[0]))}}" if right > left else ends[0]
    return [*rows, f"{'':>{margin}} └{'─' * width}", f"{'':>{margin}}  {below}"]


def _connected(dots: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The dots, and those on the straight lines between neighbours."""
    found = list(dots[:1])
    for (x, y), (x_next, y_next) in pairwise(dots):
        steps = max(abs(x_next - x), abs(y_next - y), 1)
        found += [
            (round(x + (x_next - x) * step / steps), round(y + (y_next - y) * step / steps))
            for step in range(1, steps + 1)
        ]
    return found
