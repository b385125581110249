"""The training examples as a trainer asks for them: by index and epoch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.data.mixing import Mixture
from seq2seq_kit.data.store import EncodedStore, Indices, TextStore
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform

T = TypeVar("T")


@dataclass
class Noise:
    """What is done to an example each time that it is used.

    The random numbers of an example are a function of the seed, the epoch and its index: a resumed run, and each of
    several processes, makes the same of it.
    """

    transforms: Sequence[Transform]
    task: Task
    seed: int
    max_length: int

    def __call__(
        self, plain: Sequence[EncodedExample], texts: Sequence[Example], indices: Indices, epoch: int
    ) -> list[EncodedExample]:
        """The examples ``plain``, which are ``texts`` encoded and have these indexes, as they are used in an epoch.

        One that has become longer than ``max_length`` tokens is left plain.
        """
        generators = [np.random.default_rng([self.seed, epoch, int(index)]) for index in indices]
        changed = [self._text(text, generator) for text, generator in zip(texts, generators, strict=True)]
        encoded = list(plain) if changed == list(texts) else self.task.encode(changed)
        for place, generator in enumerate(generators):
            for transform in self.transforms:
                encoded[place] = _kept(transform.on_ids(encoded[place], changed[place], generator), transform)
            if max(lengths(encoded[place])) > self.max_length:
                encoded[place] = plain[place]
        return encoded

    def _text(self, example: Example, generator: np.random.Generator) -> Example:
        for transform in self.transforms:
            example = _kept(transform.on_text(example, generator), transform)
        return example


def _kept(example: T | None, transform: Transform) -> T:
    if example is None:
        raise UserError(f"{type(transform).__name__} leaves examples out: name it in data.filters, not data.transforms")
    return example


def lengths(example: EncodedExample) -> tuple[int, int]:
    """Source tokens (or frames) and target tokens."""
    return example.source_length, len(example.target or [])


class TrainingSet(Sequence[EncodedExample]):
    """Training examples by index.

    Attributes:
        lengths: [N, 2] int32, source and target tokens of each, before any noise.
        mixture: the indexes of an epoch's examples, where several corpora are mixed; else None.
    """

    def __init__(
        self,
        store: EncodedStore,
        digest: str,
        mixture: Mixture | None = None,
        texts: TextStore | None = None,
        noise: Noise | None = None,
        made_in: Path | None = None,
    ) -> None:
        self._store = store
        self._made_in = made_in  # the folder in which it was encoded just now; None: it was found, or is in memory
        self._texts = texts
        self._noise = noise
        self.digest = digest
        self.lengths: NDArray[np.int32] = store.lengths
        self.mixture = mixture

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, index: int) -> EncodedExample:  # type: ignore[override]
        """The example without noise."""
        return self._store[index]

    def take(self, indices: Indices, epoch: int) -> list[EncodedExample]:
        """The examples of these indexes, in their order, as they are used in an epoch."""
        examples = self._store.take(indices)
        if self._noise is None or self._texts is None:
            return examples
        return self._noise(examples, self._texts.take(indices), indices, epoch)

    def forget(self) -> None:
        """Remove from the disk what was encoded just now: it is not what a run was trained on."""
        if self._made_in is not None:
            shutil.rmtree(self._made_in, ignore_errors=True)
