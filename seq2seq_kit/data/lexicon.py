"""Pronouncing dictionaries in the formats of the CMU Pronouncing Dictionary.

``WORD  PH PH PH``, white space or a tab after the word; ``WORD(1)`` or ``word(2)`` for further pronunciations of one
word; lines that begin with ``;;;`` and what follows `` #`` are comments.
"""

from __future__ import annotations

import re

from seq2seq_kit.errors import DataError

_ENTRY = re.compile(r"(?P<word>\S+?)(\(\d+\))?\s+(?P<phonemes>\S.*)")
_STRESS = re.compile(r"(?<=[A-Za-z])[0-2]$")


def entry(line: str) -> tuple[str, str] | None:
    """The word of a line and its phonemes with a space between; None for a comment or an empty line.

    Raises:
        DataError: there is no phoneme; the rest of a sentence that says where.
    """
    if not line.strip() or line.startswith(";;;"):
        return None
    found = _ENTRY.fullmatch(re.sub(r"\s+#.*", "", line).strip())
    if found is None:
        raise DataError("must be a word and its phonemes with spaces between: WORD  W ER D")
    return found["word"], " ".join(found["phonemes"].split())


def without_stress(phonemes: str) -> str:
    """ARPAbet phonemes without their stress digits: ``AH0`` becomes ``AH``."""
    return " ".join(_STRESS.sub("", phoneme) for phoneme in phonemes.split())
