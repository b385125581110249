"""TER, translation edit rate (Snover et al. 2006), by sacreBLEU."""

from __future__ import annotations

from sacrebleu.metrics.ter import TER as Scorer

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.metrics.sacrebleu_metric import SacreBLEUMetric


class TERConfig(ComponentConfig):
    """Configuration of :class:`TER`."""

    name: str = "ter"
    lowercase: bool = True
    """Ignore case, as the original program does."""
    normalized: bool = False
    """Set punctuation apart first, by the rules of Tercom."""
    no_punctuation: bool = False
    """Leave punctuation out."""


class TER(SacreBLEUMetric):
    """Word edits and shifts of phrases per word of the references (the mean length, if there are several), in
    percent."""

    higher_is_better = False

    def __init__(self, config: TERConfig) -> None:
        self.scorer = Scorer(
            normalized=config.normalized, no_punct=config.no_punctuation, case_sensitive=not config.lowercase
        )
