"""What the sacreBLEU metrics share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from seq2seq_kit.interfaces import Metric


class SacreBLEUMetric(Metric):
    """Base of the metrics that sacreBLEU computes (Post 2018). A subclass makes ``scorer``."""

    scorer: Any
    _signature = ""

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The corpus score in percent. Outputs may have different numbers of references."""
        # sacreBLEU wants one list for the first reference of each output, one for the second, …; None: there is none.
        streams = [list(stream) for stream in zip_longest(*references)]
        score = float(self.scorer.corpus_score(list(outputs), streams).score)
        self._signature = str(self.scorer.get_signature())
        return score

    def signature(self) -> str:
        """sacreBLEU's signature; known once a score was computed, because it says how many references there were."""
        return self._signature
