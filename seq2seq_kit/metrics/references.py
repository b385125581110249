"""References as sacreBLEU wants them."""

from __future__ import annotations

from collections.abc import Sequence


def by_position(references: Sequence[Sequence[str]]) -> list[list[str]]:
    """One or more references an output -> as many lists as the most, each with one reference an output.

    Where an output has fewer than the most, its first is repeated, which changes no score.
    """
    most = max(len(some) for some in references)
    return [[some[i] if i < len(some) else some[0] for some in references] for i in range(most)]
