"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), by rouge-score, Google's reimplementation of the original program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Metric


class RougeConfig(ComponentConfig):
    """What all of them can be told."""

    stemmer: bool = True
    """Compare the stems of English words (Porter 1980), as most published figures do."""
    tokenize: Literal["ascii", "unicode"] = "ascii"
    """What a word is: ``ascii``, runs of a to z and digits, as in published figures; ``unicode``, runs of letters and
    digits of any script."""


class Rouge(Metric):
    """Base: the F1 of what outputs and references have in common, the mean over all outputs, 0 to 100.

    Case does not matter. Of several references the one with the highest F1 counts.

    Raises:
        ConfigError: rouge-score is not installed.
    """

    kind: str

    def __init__(self, config: RougeConfig) -> None:
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError:
            raise ConfigError(
                f"the metric {config.name!r} needs the package rouge-score: pip install 'seq2seq_kit[metrics]'"
            ) from None
        self.config = config
        tokenizer = _UnicodeWords(config.stemmer) if config.tokenize == "unicode" else None
        self._scorer: Any = RougeScorer([self.kind], use_stemmer=config.stemmer, tokenizer=tokenizer)

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The mean F1, 0 to 100."""
        return self.combine(self.statistics(outputs, references).sum(0))

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """The F1 of each output, and 1 [N, 2]."""
        scores = [
            self._scorer.score_multi(accepted, output)[self.kind].fmeasure
            for output, accepted in zip(outputs, references, strict=True)
        ]
        return np.array([(score, 1) for score in scores], dtype=np.float64)

    def combine(self, total: NDArray[np.float64]) -> float:
        """The mean, in percent."""
        return float(100 * total[0] / total[1])

    def signature(self) -> str:
        """What was counted, and by which version."""
        stem = "yes" if self.config.stemmer else "no"
        return f"stemmer:{stem}|tokenize:{self.config.tokenize}|rouge-score:{version('rouge-score')}"


class _UnicodeWords:
    """Runs of letters and digits of any script, in the place of rouge-score's own tokenizer."""

    def __init__(self, stemmer: bool) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stemmer = PorterStemmer() if stemmer else None

    def tokenize(self, text: str) -> list[str]:
        words = re.findall(r"[^\W_]+", text.lower())
        if self._stemmer is None:
            return words
        return [self._stemmer.stem(word) if len(word) > 3 else word for word in words]


class Rouge1Config(RougeConfig):
    """Configuration of :class:`Rouge1`."""

    name: str = "rouge1"


class Rouge1(Rouge):
    """Words in common."""

    kind = "rouge1"


class Rouge2Config(RougeConfig):
    """Configuration of :class:`Rouge2`."""

    name: str = "rouge2"


class Rouge2(Rouge):
    """Pairs of neighbouring words in common."""

    kind = "rouge2"


class RougeLConfig(RougeConfig):
    """Configuration of :class:`RougeL`."""

    name: str = "rouge_l"


class RougeL(Rouge):
    """The longest sequence of words in common, with gaps."""

    kind = "rougeL"
