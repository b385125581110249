"""The contract of tokenizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from seq2seq_kit.errors import UserError


class Tokenizer(ABC):
    """Text to ids and back. Built as ``cls(config)``; then either trained or loaded.

    The special ids are the class' where the first four are reserved for them; an instance may have others of its own.
    """

    pad_id, bos_id, eos_id, unk_id = 0, 1, 2, 3
    vocab_size: int
    prefix: tuple[int, ...] = ()
    """What every text begins with, such as the code of its language; the task puts it there, not ``encode``."""

    @property
    def suffix(self) -> tuple[int, ...]:
        """What every source ends with; as ``prefix``. Targets end with EOS."""
        return (self.eos_id,)

    @abstractmethod
    def train(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary from training texts."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without BOS and EOS."""

    def sampling(self, rate: float, generator: np.random.Generator) -> AbstractContextManager[None]:
        """A context within which :meth:`encode` draws one of a text's segmentations; ``rate``, from 0 up to 1, says how
        far it may be from the usual one. For tokenizers that have several."""
        raise UserError(f"{type(self).__name__} has one segmentation of a text only")

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``; pad, BOS and EOS are dropped."""

    @abstractmethod
    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write one readable file."""

    @abstractmethod
    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""
