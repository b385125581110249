"""BLEU (Papineni et al. 2002), by sacreBLEU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sacrebleu.metrics.bleu import BLEU as Scorer

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.metrics.sacrebleu_metric import SacreBLEUMetric


class BLEUConfig(ComponentConfig):
    """Configuration of :class:`BLEU`."""

    name: str = "bleu"
    lowercase: bool = False
    """Ignore case."""
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a"
    """sacreBLEU's tokenization: ``13a`` is that of WMT, ``none`` for text that is already tokenized."""


class BLEU(SacreBLEUMetric):
    """The geometric mean of n-gram precisions up to 4, with brevity penalty and exponential smoothing, 0 to 100."""

    def __init__(self, config: BLEUConfig) -> None:
        self.scorer = Scorer(lowercase=config.lowercase, tokenize=config.tokenize, force=True)
        self._alone = Scorer(lowercase=config.lowercase, tokenize=config.tokenize, force=True, effective_order=True)

    def sentence_scores(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """BLEU of each output alone, without the orders in which it has no match (effective order): of a short text
        it would else be 0 or next to it."""
        return [
            float(self._alone.sentence_score(output, list(accepted)).score)
            for output, accepted in zip(outputs, references, strict=True)
        ]
