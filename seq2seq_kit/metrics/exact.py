"""Exact match, and its opposite, the sequence error rate."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize

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
        equal = sum(
            normalize("NFC", output) in {normalize("NFC", reference) for reference in accepted}
            for output, accepted in zip(outputs, references, strict=True)
        )
        return 100 * equal / len(outputs)


class SequenceErrorRateConfig(ComponentConfig):
    """Configuration of :class:`SequenceErrorRate`."""

    name: str = "ser"


class SequenceErrorRate(ExactMatch):
    """How many outputs equal none of their references, in percent; of pronunciations, the word error rate."""

    higher_is_better = False

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The share of wrong outputs, 0 to 100."""
        return 100 - super().__call__(outputs, references)
