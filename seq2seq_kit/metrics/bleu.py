"""BLEU (Papineni et al. 2002), by sacreBLEU."""

from __future__ import annotations

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
