"""What of a text is not in the other one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

Part = tuple[bool, str]
"""Is it in the other text too, and the text."""


def differences(output: str, reference: str) -> tuple[list[Part], list[Part]]:
    """Both texts in parts, by their longest common runs of words; of characters where they have one word at most."""
    one, other = _units(output, reference)
    here: list[Part] = []
    there: list[Part] = []
    for kind, i, i_end, j, j_end in SequenceMatcher(None, _stripped(one), _stripped(other), False).get_opcodes():
        if i < i_end:
            here += _marked(kind == "equal", "".join(one[i:i_end]))
        if j < j_end:
            there += _marked(kind == "equal", "".join(other[j:j_end]))
    return here, there


def nearest(output: str, references: Sequence[str]) -> int:
    """Which reference has most in common with the output; the first among equals."""

    def common(reference: str) -> float:
        one, other = _units(output, reference)
        return SequenceMatcher(None, _stripped(one), _stripped(other), False).ratio()

    return max(range(len(references)), key=lambda i: common(references[i]))


def _marked(same: bool, text: str) -> list[Part]:
    """The space before the first word is in both."""
    words = text.lstrip()
    if same or not words or words == text:
        return [(same, text)]
    return [(True, text[: len(text) - len(words)]), (False, words)]


def _units(one: str, other: str) -> tuple[list[str], list[str]]:
    """Words with the space before them, or characters."""
    if max(len(one.split()), len(other.split())) < 2:
        return list(one), list(other)
    return re.findall(r"\s*\S+", one), re.findall(r"\s*\S+", other)


def _stripped(units: list[str]) -> list[str]:
    return [unit.strip() or " " for unit in units]
