"""How many words of output and reference are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from seq2seq_kit import ComponentConfig, Metric


class FrozenMetricConfig(ComponentConfig):
    """The options of :class:`FrozenMetric`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    lowercase: bool = False
    """Do not tell capitals from small letters."""


class FrozenMetric(Metric):
    """F1 of words, in any order, against the nearest reference, 0 to 100 (see ``Metric`` for the contract)."""

    higher_is_better = True

    def __init__(self, config: FrozenMetricConfig) -> None:
        self.config = config

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The mean over ``outputs``; ``references[i]`` holds one or more references of ``outputs[i]``."""
        best = [max(map(self._f1, [output] * len(own), own)) for output, own in zip(outputs, references, strict=True)]
        return 100 * sum(best) / len(best)

    def _f1(self, output: str, reference: str) -> float:
        one, other = self._words(output), self._words(reference)
        if not one or not other:
            return float(one == other)
        return 2 * (one & other).total() / (one.total() + other.total())

    def _words(self, text: str) -> Counter[str]:
        return Counter((text.lower() if self.config.lowercase else text).split())
