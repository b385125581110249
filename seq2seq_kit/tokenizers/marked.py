"""Marks beside the text: who speaks, or which language is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from seq2seq_kit.interfaces import Tokenizer


class MarkedTokenizer(Tokenizer):
    """A tokenizer with some marks after its own entries. No text can spell a mark: a task puts it among the ids.

    Args:
        inner: the tokenizer of the text, whose file is saved and loaded.
        marks: their names, as a person would read them.
    """

    def __init__(self, inner: Tokenizer, marks: Sequence[str]) -> None:
        self.inner = inner
        self._marks = list(marks)

    def mark(self, name: str) -> int:
        """The id of a mark."""
        return self.inner.vocab_size + self._marks.index(name)

    @property
    def vocab_size(self) -> int:  # type: ignore[override]
        """The inner tokenizer's entries, and the marks."""
        return self.inner.vocab_size + len(self._marks)

    @property
    def pad_id(self) -> int:  # type: ignore[override]
        return self.inner.pad_id

    @property
    def bos_id(self) -> int:  # type: ignore[override]
        return self.inner.bos_id

    @property
    def eos_id(self) -> int:  # type: ignore[override]
        return self.inner.eos_id

    @property
    def unk_id(self) -> int:  # type: ignore[override]
        return self.inner.unk_id

    @property
    def prefix(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.inner.prefix

    @property
    def suffix(self) -> tuple[int, ...]:
        return self.inner.suffix

    def train(self, texts: Iterable[str]) -> None:
        """Learn the inner vocabulary."""
        self.inner.train(texts)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text; marks are not among them."""
        return self.inner.encode(texts)

    def sampling(self, rate: float, generator: np.random.Generator) -> AbstractContextManager[None]:
        """As the inner tokenizer does."""
        return self.inner.sampling(rate, generator)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``; marks are dropped."""
        return self.inner.decode([i for i in ids if i < self.inner.vocab_size])

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it, marks by their names."""
        own = self.inner.vocab_size
        return [self.inner.tokens([i])[0] if i < own else self._marks[i - own] for i in ids]

    def save(self, path: Path) -> None:
        """Write the inner tokenizer's file."""
        self.inner.save(path)

    def load(self, path: Path) -> None:
        """Read it."""
        self.inner.load(path)


def unmarked(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer of the text alone."""
    return tokenizer.inner if isinstance(tokenizer, MarkedTokenizer) else tokenizer
