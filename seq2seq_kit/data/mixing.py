"""Several corpora in one training: how much of an epoch each makes up, and which of its examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def shares(counts: Sequence[int], weights: Sequence[float] | None, temperature: float) -> NDArray[np.float64]:
    """The share of each corpus in an epoch; they sum to 1.

    With ``weights``: w_i / Σ w. Without: n_i^(1/T) / Σ n^(1/T), where n_i is the size of the corpus (Arivazhagan et
    al. 2019): T = 1 keeps the proportions, a larger T evens them out.
    """
    raw = np.asarray(counts, float) ** (1 / temperature) if weights is None else np.asarray(weights, float)
    return raw / raw.sum()


class Mixture:
    """Deals each epoch's examples, a function of the seed and the epoch's number alone.

    An epoch has as many examples as all corpora together. Each corpus is a deck of cards, dealt from and shuffled anew
    when it is empty: over the epochs, all of its examples are used equally often, whatever its share.

    Args:
        counts: examples of each corpus; the indexes of a corpus follow those of the one before it.
        shares: see :func:`shares`.
    """

    def __init__(self, counts: Sequence[int], shares: Sequence[float] | NDArray[np.float64], seed: int) -> None:
        self._counts = list(counts)
        self._dealt = _whole(np.asarray(shares) * sum(counts))
        self._seed = seed

    @property
    def dealt(self) -> list[int]:
        """How many examples an epoch has of each corpus."""
        return self._dealt.tolist()

    def __call__(self, epoch: int) -> NDArray[np.int32]:
        """The indexes of an epoch's examples, corpus after corpus."""
        hands, offset = [], 0
        for corpus, (size, dealt) in enumerate(zip(self._counts, self.dealt, strict=True)):
            first, last = epoch * dealt, (epoch + 1) * dealt
            for deck in range(first // size, -(-last // size)):
                cards = np.random.default_rng([self._seed, corpus, deck]).permutation(np.arange(size, dtype=np.int32))
                hands.append(offset + cards[max(first - deck * size, 0) : last - deck * size])
            offset += size
        return np.concatenate(hands)


def _whole(parts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers of the same sum, each its part rounded up or down (the largest remainders up)."""
    down = np.floor(parts).astype(np.int64)
    missing = round(parts.sum()) - int(down.sum())
    down[np.argsort(down - parts, kind="stable")[:missing]] += 1
    return down
