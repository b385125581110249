"""What the sacreBLEU metrics share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.interfaces import Metric


class SacreBLEUMetric(Metric):
    """Base of the metrics that sacreBLEU computes (Post 2018). A subclass makes ``scorer``."""

    scorer: Any
    _signature = ""

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The corpus score in percent. Outputs may have different numbers of references."""
        score = float(self.scorer.corpus_score(list(outputs), _streams(references)).score)
        self._signature = str(self.scorer.get_signature())
        return score

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """What sacreBLEU's own significance tests add up [N, D]: matches and lengths."""
        # These two methods are the only way to them, and every metric of sacreBLEU has them since 2.0.
        rows = self.scorer._extract_corpus_statistics(list(outputs), _streams(references))
        return np.array(rows, dtype=np.float64)

    def combine(self, total: NDArray[np.float64]) -> float:
        """The corpus score of a sum of statistics [D]."""
        return float(self.scorer._compute_score_from_stats(total).score)

    def signature(self) -> str:
        """sacreBLEU's signature; known once a score was computed, because it says how many references there were."""
        return self._signature


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """One list for the first reference of each output, one for the second, …, as sacreBLEU wants; None: there is
    none."""
    return [list(stream) for stream in zip_longest(*references)]
