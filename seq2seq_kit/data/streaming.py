"""Training data that is read anew in every epoch and never kept: for a corpus that does not fit on the disk twice.

A block of examples at a time is read, filtered, encoded and cut into batches, which are shuffled within the block. What
comes is a function of the files, the configuration, the seed and the epoch; a resumed run reads up to where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from seq2seq_kit.data.batching import TokenBatches
from seq2seq_kit.data.cache import data_files
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.data.sieve import Sieve
from seq2seq_kit.data.store import ROWS
from seq2seq_kit.data.training_set import Noise, lengths
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import EncodedExample, Example, Task

LEARNT_FROM = 1_000_000
"""Examples at the start that tokenizers are learnt from."""


@dataclass(frozen=True)
class Texts(Iterable[Example]):
    """The training examples as they are read, corpus after corpus; read anew whenever they are iterated over."""

    config: DataConfig
    task: Task
    limit: int | None = None  # only the first so many

    def __iter__(self) -> Iterator[Example]:
        readers = (self.task.read(source.paths, self.config.on_error) for source in self.config.train)
        return islice(chain.from_iterable(readers), self.limit)


@dataclass(frozen=True)
class Streamed:
    """One example of a block."""

    index: int  # among those of the epoch
    text: Example
    encoded: EncodedExample


class StreamedSet:
    """Training examples as a stream. Has what a trainer asks of a :class:`TrainingSet`, but no length and no indexes:
    a batch is its examples.

    Attributes:
        digest: a fingerprint of the data: of its first block, and of the sizes of its files.
    """

    def __init__(self, config: DataConfig, task: Task, seed: int, noise: Noise | None) -> None:
        self._config = config
        self._task = task
        self._seed = seed
        self._noise = noise
        first = next(self.blocks(), None)
        if first is None:
            raise DataError(f"{config.training_files}: no training example is left after the filters")
        sizes = [path.stat().st_size for path in data_files(config.train)]
        ids = [(example.encoded.source, example.encoded.target) for example in first]
        found = hashlib.sha256(repr((sizes, ids)).encode())
        for example in first:
            if example.encoded.frames is not None:
                found.update(example.encoded.frames.tobytes())
        self.digest = found.hexdigest()

    def take(self, batch: Sequence[Any], epoch: int) -> list[EncodedExample]:
        """The examples of a batch (of :class:`Streamed`) as they are used in an epoch."""
        plain = [example.encoded for example in batch]
        if self._noise is None:
            return plain
        return self._noise(plain, [example.text for example in batch], [example.index for example in batch], epoch)

    def forget(self) -> None:
        """Nothing is kept that could be removed."""

    def blocks(self) -> Iterator[list[Streamed]]:
        """The examples that the filters leave, ``data.shuffle_buffer`` at a time."""
        sieve, left, index = Sieve(self._config, self._task, self._seed), iter(Texts(self._config, self._task)), 0
        block: list[Streamed] = []
        while texts := list(islice(left, min(ROWS, self._config.shuffle_buffer))):
            kept = [text for example in texts if (text := sieve.text(example)) is not None]
            for text, encoded in zip(kept, self._task.encode(kept), strict=True):
                if (ids := sieve.ids(encoded, text)) is not None:
                    block.append(Streamed(index, text, ids))
                    index += 1
            while len(block) >= self._config.shuffle_buffer:
                yield block[: self._config.shuffle_buffer]
                block = block[self._config.shuffle_buffer :]
        if block:
            yield block


class StreamedBatches:
    """The batches of a stream; as :class:`TokenBatches`, but each epoch's must be asked for in order.

    Args:
        batch_tokens: the bound of examples × longest side, in tokens.
    """

    def __init__(self, examples: StreamedSet, batch_tokens: int, seed: int) -> None:
        self._examples = examples
        self._batch_tokens = batch_tokens
        self._seed = seed

    def batches(self, epoch: int) -> StreamedEpoch:
        """The batches of an epoch (counted from 0)."""
        return StreamedEpoch(self._cut(epoch))

    def _cut(self, epoch: int) -> Iterator[list[list[Streamed]]]:
        """The batches of each block."""
        for number, block in enumerate(self._examples.blocks()):
            sizes = [lengths(example.encoded) for example in block]
            batches = TokenBatches(sizes, self._batch_tokens, self._seed).batches(epoch, number)
            yield [[block[i] for i in batch] for batch in batches]


class StreamedEpoch:
    """The batches of an epoch, each to be had until one of a later block is asked for."""

    def __init__(self, blocks: Iterator[list[list[Streamed]]]) -> None:
        self._blocks = blocks
        self._start = 0
        self._block: list[list[Streamed]] = []

    def __getitem__(self, index: int) -> list[Streamed]:
        if index < self._start or self.ends_at(index):
            raise IndexError(index)
        return self._block[index - self._start]

    def ends_at(self, index: int) -> bool:
        """Are there no more than ``index`` batches?"""
        while index >= self._start + len(self._block):
            block = next(self._blocks, None)
            if block is None:
                return True
            self._start += len(self._block)
            self._block = block
        return False
