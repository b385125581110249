"""chrF (Popović 2015) and chrF++ (Popović 2017), by sacreBLEU."""

from __future__ import annotations

from pydantic import Field
from sacrebleu.metrics.chrf import CHRF as Scorer

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.metrics.sacrebleu_metric import SacreBLEUMetric


class ChrFConfig(ComponentConfig):
    """Configuration of :class:`ChrF`."""

    name: str = "chrf"
    lowercase: bool = False
    """Ignore case."""
    word_order: int = Field(default=0, ge=0)
    """The longest word n-grams counted beside those of characters; 2 is chrF++."""


class ChrF(SacreBLEUMetric):
    """The F-score of character n-grams up to 6, recall weighing twice as much as precision, 0 to 100."""

    def __init__(self, config: ChrFConfig) -> None:
        self.scorer = Scorer(lowercase=config.lowercase, word_order=config.word_order)
