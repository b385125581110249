"""The contract of metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Metric(ABC):
    """Compares outputs with references. Built as ``cls(config)``."""

    higher_is_better: bool = True
    bootstrap: bool = True
    """Drawing examples with replacement tells how sure the score is; False where outputs are compared with one
    another, which an example that is drawn twice changes."""

    @abstractmethod
    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The corpus score; ``references[i]`` holds one or more references of ``outputs[i]``."""

    def signature(self) -> str:
        """How exactly the score is computed (for sacreBLEU metrics, its signature)."""
        return ""

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64] | None:
        """What the score is made of [N, D]: a row for each output, so that :meth:`combine` of the sum of some rows is
        the score of these outputs. Confidence intervals are then had at once; None: by scoring many resamples."""
        return None

    def combine(self, total: NDArray[np.float64]) -> float:
        """The score of a sum of rows [D] of :meth:`statistics`; for metrics that give them."""
        raise NotImplementedError(f"{type(self).__name__} has statistics, and needs a method combine")

    def sentence_scores(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """The score of each output alone."""
        rows = self.statistics(outputs, references)
        if rows is not None:
            return [self.combine(row) for row in rows]
        return [self([output], [accepted]) for output, accepted in zip(outputs, references, strict=True)]
