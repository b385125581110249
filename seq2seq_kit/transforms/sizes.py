"""How long a side of an example is, in the unit that a filter counts in."""

from __future__ import annotations

from typing import Literal

from seq2seq_kit.interfaces import EncodedExample, Example

Unit = Literal["tokens", "words", "characters"]


def text_sizes(example: Example, unit: Unit) -> tuple[int, int]:
    """Words (between white space) or characters of source and target."""
    sides = example.source, example.target or ""
    if unit == "words":
        return len(sides[0].split()), len(sides[1].split())
    return len(sides[0]), len(sides[1])


def token_sizes(encoded: EncodedExample) -> tuple[int, int]:
    """Tokens of source and target, EOS included."""
    return len(encoded.source), len(encoded.target or [])
