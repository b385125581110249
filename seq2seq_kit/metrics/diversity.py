"""How varied and how long outputs are, whatever the references say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Metric


class _Distinct(Metric):
    """Base: the different n-grams of words in all outputs, per 100 n-grams (Li et al. 2016); case does not matter."""

    bootstrap = False
    n: int

    def __init__(self, config: ComponentConfig) -> None:
        self.config = config

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The share, 0 (nothing was written) to 100 (no n-gram came twice). It falls with the number of outputs: only
        figures of one test set can be compared."""
        found = []
        for output in outputs:
            words = output.lower().split()
            found += list(zip(*(words[i:] for i in range(self.n)), strict=False))
        return 100 * len(set(found)) / max(1, len(found))


class Distinct1Config(ComponentConfig):
    """Configuration of :class:`Distinct1`."""

    name: str = "distinct1"


class Distinct1(_Distinct):
    """Different words per 100 words."""

    n = 1


class Distinct2Config(ComponentConfig):
    """Configuration of :class:`Distinct2`."""

    name: str = "distinct2"


class Distinct2(_Distinct):
    """Different pairs of neighbouring words per 100 such pairs."""

    n = 2


class LengthConfig(ComponentConfig):
    """Configuration of :class:`Length`."""

    name: str = "length"


class Length(Metric):
    """The mean number of words an output. More is not better; it says what the other figures are worth."""

    def __init__(self, config: LengthConfig) -> None:
        self.config = config

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """Words an output, as white space separates them."""
        return self.combine(self.statistics(outputs, references).sum(0))

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """The words of each output, and 1 [N, 2]."""
        return np.array([(len(output.split()), 1) for output in outputs], dtype=np.float64)

    def combine(self, total: NDArray[np.float64]) -> float:
        """The mean."""
        return float(total[0] / total[1])
