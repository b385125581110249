"""Batches of like length, bounded by their padded size, in an order that can be made again at any time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class TokenBatches:
    """Groups examples of like length, so that little of a batch is padding.

    The batches of an epoch are a function of the lengths, ``batch_tokens``, ``seed`` and the epoch's number alone. A
    training is therefore resumed from two numbers: the epoch, and how many of its batches are done.

    Every example is in exactly one batch of every epoch. One that has more than ``batch_tokens`` tokens by itself is a
    batch of its own. Which of the examples of one length share a batch, and the batches' order, change with the epoch.

    Args:
        lengths: (source tokens, target tokens) of each example.
        batch_tokens: the bound of examples × longest side, in tokens; at least 1.
        seed: at least 0.
    """

    def __init__(self, lengths: Sequence[tuple[int, int]], batch_tokens: int, seed: int) -> None:
        self._lengths = np.array(lengths, dtype=np.int64).reshape(-1, 2)
        self._batch_tokens = batch_tokens
        self._seed = seed

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch (counted from 0), in order: lists of indexes into ``lengths``."""
        generator = np.random.default_rng([self._seed, epoch])
        order = generator.permutation(len(self._lengths))
        source, target = self._lengths[order].T
        # By source, so that most batches have sources of one length (a recurrent encoder is then much faster), and
        # within that by target, up and down in turn, so that neighbours differ little; what is equal stays at random.
        order = order[np.lexsort([np.where(source % 2, target, -target), source])]
        batches = self._cut(order.tolist())
        return [batches[i] for i in generator.permutation(len(batches))]

    def _cut(self, order: list[int]) -> list[list[int]]:
        """Cut a list of examples, sorted by length, into batches as large as allowed."""
        batches: list[list[int]] = []
        longest = 0
        for index, length in zip(order, self._lengths[order].max(1, initial=0).tolist(), strict=True):
            longest = max(longest, length)
            if not batches or (len(batches[-1]) + 1) * longest > self._batch_tokens:
                batches.append([])
                longest = length
            batches[-1].append(index)
        return batches
