"""Exact match, and its opposite, the sequence error rate."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Metric


class ExactMatchConfig(ComponentConfig):
    """Configuration of :class:`ExactMatch`."""

    name: str = "exact"


class ExactMatch(Metric):
    """How many outputs equal one of their references, character for character (in composed form, NFC), in percent."""

    def __init__(self, config: ExactMatchConfig) -> None:
        self.config = config

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The share of exact outputs, 0 to 100."""
        return self.combine(self.statistics(outputs, references).sum(0))

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Whether each output is exact, and 1 [N, 2]."""
        equal = [
            normalize("NFC", output) in {normalize("NFC", reference) for reference in accepted}
            for output, accepted in zip(outputs, references, strict=True)
        ]
        return np.array([(one, 1) for one in equal], dtype=np.float64)

    def combine(self, total: NDArray[np.float64]) -> float:
        """The share of exact outputs, from their number and that of all."""
        return float(100 * total[0] / total[1])


class SequenceErrorRateConfig(ComponentConfig):
    """Configuration of :class:`SequenceErrorRate`."""

    name: str = "ser"


class SequenceErrorRate(ExactMatch):
    """How many outputs equal none of their references, in percent; of pronunciations, the word error rate."""

    higher_is_better = False

    def combine(self, total: NDArray[np.float64]) -> float:
        """The share of wrong outputs, 0 to 100."""
        return 100 - super().combine(total)
