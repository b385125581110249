"""Edits that lead from an output to its nearest reference: word, character and phoneme error rate, edit distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Metric

Unit = Literal["word", "character"]


class EditConfig(ComponentConfig):
    """What all of them can be told."""

    lowercase: bool = False
    """Ignore case."""


class EditMetric(Metric):
    """Base: counts insertions, deletions and substitutions (Levenshtein 1966), by jiwer.

    Of several references the nearest one counts: that with the fewest edits, and the longest among such. Texts are
    compared in composed form (NFC), runs of white space as one space.

    Raises:
        ConfigError: jiwer is not installed.
    """

    higher_is_better = False
    unit: Unit = "word"
    """What is edited: words (whatever white space separates) or characters (spaces among them)."""

    def __init__(self, config: EditConfig) -> None:
        try:
            import jiwer
        except ImportError:
            raise ConfigError(
                f"the metric {config.name!r} needs the package jiwer: pip install 'seq2seq_kit[metrics]'"
            ) from None
        self.config = config
        self._jiwer: Any = jiwer

    def nearest(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
        """For each output the edits to its nearest reference, and the length of that reference, in units."""
        cases = list(zip(map(self._plain, outputs), references, strict=True))
        pairs = [(i, output, self._plain(r)) for i, (output, accepted) in enumerate(cases) for r in accepted]
        process = self._jiwer.process_words if self.unit == "word" else self._jiwer.process_characters
        found = process([reference for _, _, reference in pairs], [output for _, output, _ in pairs])
        best: dict[int, tuple[int, int]] = {}
        for (i, _, _), chunks, reference in zip(pairs, found.alignments, found.references, strict=True):
            candidate = (sum(map(_edits, chunks)), len(reference))
            if i not in best or (candidate[0], -candidate[1]) < (best[i][0], -best[i][1]):
                best[i] = candidate
        return [best[i] for i in range(len(cases))]

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Of each output the edits to its nearest reference, the length of that reference, and 1 [N, 3]."""
        return np.array([(*found, 1) for found in self.nearest(outputs, references)], dtype=np.float64)

    def _plain(self, text: str) -> str:
        text = " ".join(normalize("NFC", text).split())
        return text.lower() if self.config.lowercase else text


def _edits(chunk: Any) -> int:
    """The edits of one chunk of an alignment."""
    if chunk.type == "equal":
        return 0
    return int(max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx))


class WordErrorRateConfig(EditConfig):
    """Configuration of :class:`WordErrorRate`."""

    name: str = "wer"


class WordErrorRate(EditMetric):
    """Word edits per word of the references, over the whole corpus, in percent; more than 100 is possible."""

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The rate, 0 is perfect."""
        return self.combine(self.statistics(outputs, references).sum(0))

    def combine(self, total: NDArray[np.float64]) -> float:
        """Edits per unit of the references."""
        return float(100 * total[0] / max(1.0, total[1]))


class CharacterErrorRateConfig(EditConfig):
    """Configuration of :class:`CharacterErrorRate`."""

    name: str = "cer"


class CharacterErrorRate(WordErrorRate):
    """Character edits per character of the references, over the whole corpus, in percent."""

    unit = "character"


class PhonemeErrorRateConfig(EditConfig):
    """Configuration of :class:`PhonemeErrorRate`."""

    name: str = "per"


class PhonemeErrorRate(WordErrorRate):
    """Phoneme edits per phoneme of the references, in percent: the word error rate of phonemes with spaces between."""


class EditDistanceConfig(EditConfig):
    """Configuration of :class:`EditDistance`."""

    name: str = "edit_distance"
    unit: Unit = "character"
    """What is edited."""


class EditDistance(EditMetric):
    """The mean number of edits an output needs to become its nearest reference."""

    def __init__(self, config: EditDistanceConfig) -> None:
        super().__init__(config)
        self.unit = config.unit

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """Edits an output, 0 is perfect."""
        return self.combine(self.statistics(outputs, references).sum(0))

    def combine(self, total: NDArray[np.float64]) -> float:
        """Edits per output."""
        return float(total[0] / total[2])
