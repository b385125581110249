"""Exact match."""

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
