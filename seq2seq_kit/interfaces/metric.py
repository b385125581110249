"""The contract of metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Metric(ABC):
    """Compares outputs with references. Built as ``cls(config)``."""

    higher_is_better: bool = True

    @abstractmethod
    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The corpus score; ``references[i]`` holds one or more references of ``outputs[i]``."""

    def signature(self) -> str:
        """How exactly the score is computed (for sacreBLEU metrics, its signature)."""
        return ""
