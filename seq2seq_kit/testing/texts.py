"""Texts to check tokenizers and tasks with, and what it means that a text came back."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

from seq2seq_kit.testing.report import Fault

TEXTS = (
    "one two three",
    "the cat sees a dog",
    "a dog sees the cat twice",
    "Deux élèves lisent",
    "two cats and three dogs",
    "one",
)
"""Words with single spaces between them, capitals and accents among them; nothing that a tokenizer may have to lose."""


def same_text(one: str, other: str) -> bool:
    """Equal but for case, Unicode's forms of composition, and the amount of white space."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return " ".join(normalize("NFC", text).casefold().split())


def refuse_pickles(path: Path) -> None:
    """A saved file that can only be read by unpickling it is a fault."""
    start = path.read_bytes()[:2]
    if start[:1] == b"\x80" or start == b"PK":
        raise Fault(
            f"{path.name} is a pickle or an archive; nothing in a run folder is ever unpickled: write JSON, text or "
            "safetensors"
        )
