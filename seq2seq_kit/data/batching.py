"""Batches of like length, bounded by their padded size, in an order that can be made again at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Draw = Callable[[int], NDArray[np.integer]]
"""The indexes of the examples of an epoch, in any order; one may come several times."""


class TokenBatches:
    """Groups examples of like length, so that little of a batch is padding.

    The batches of an epoch are a function of the lengths, ``batch_tokens``, ``seed`` and the epoch's number alone. A
    training is therefore resumed from two numbers: the epoch, and how many of its batches are done.

    Every example of an epoch is in exactly one of its batches. One that has more than ``batch_tokens`` tokens by itself
    is a batch of its own. Which of the examples of one length share a batch, and the batches' order, change with the
    epoch.

    Args:
        lengths: [N, 2], (source tokens, target tokens) of each example.
        batch_tokens: the bound of examples × longest side, in tokens; at least 1.
        seed: at least 0.
        draw: the examples of an epoch; None: all of them in every epoch.
    """

    def __init__(self, lengths: ArrayLike, batch_tokens: int, seed: int, draw: Draw | None = None) -> None:
        self._lengths = np.asarray(lengths, dtype=np.int32).reshape(-1, 2)
        self._batch_tokens = batch_tokens
        self._seed = seed
        self._draw = draw or (lambda epoch: np.arange(len(self._lengths), dtype=np.int32))

    def batches(self, epoch: int, block: int = 0) -> EpochBatches:
        """The batches of an epoch (counted from 0), in order; ``block`` numbers the parts of a stream."""
        generator = np.random.default_rng([self._seed, epoch, block])
        order = generator.permutation(self._draw(epoch))
        order = order[np.argsort(self._keys(order), kind="stable")]
        bounds = self._cut(self._lengths[order].max(1, initial=0))
        return EpochBatches(order, bounds, generator.permutation(len(bounds) - 1))

    def _keys(self, order: NDArray[np.integer]) -> NDArray[np.integer]:
        """What to sort by: the source's length, so that most batches have sources of one length (a recurrent encoder is
        then much faster), and within that the target's, up and down in turn, so that neighbours differ little; what is
        equal stays at random."""
        source, target = self._lengths[order].T
        longest = int(target.max(initial=0))
        size = np.min_scalar_type((int(source.max(initial=0)) + 1) * (longest + 1))  # a short key sorts faster
        return source.astype(size) * size.type(longest + 1) + np.where(source % 2, target, longest - target).astype(
            size
        )

    def _cut(self, longest: NDArray[np.integer]) -> NDArray[np.int64]:
        """Cut a list of examples into batches as large as allowed: batch n is ``bounds[n]`` to ``bounds[n + 1]``.

        Args:
            longest: the longer side of each example, in tokens.
        """
        bounds = [0]
        while bounds[-1] < len(longest):
            start = bounds[-1]
            window = longest[start : start + max(self._batch_tokens // max(int(longest[start]), 1), 1)]
            padded = np.maximum.accumulate(window, dtype=np.int64) * np.arange(1, len(window) + 1)
            bounds.append(start + max(int(np.searchsorted(padded, self._batch_tokens, side="right")), 1))
        return np.array(bounds)


class EpochBatches(Sequence[NDArray[np.integer]]):
    """The batches of an epoch: each an array of indexes of examples. Takes about 4 bytes an example."""

    def __init__(self, examples: NDArray[np.integer], bounds: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        self._examples = examples
        self._bounds = bounds
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    def ends_at(self, index: int) -> bool:
        """Are there no more than ``index`` batches?"""
        return index >= len(self)

    def __getitem__(self, index: int) -> NDArray[np.integer]:  # type: ignore[override]
        batch = self._order[index]
        return self._examples[self._bounds[batch] : self._bounds[batch + 1]]

    def __iter__(self) -> Iterator[NDArray[np.integer]]:
        return (self[index] for index in range(len(self)))
