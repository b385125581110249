"""The data of a run: training examples on disk, development examples in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from seq2seq_kit.data.batching import TokenBatches
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.data.preparation import training_set
from seq2seq_kit.data.report import Report
from seq2seq_kit.data.streaming import StreamedBatches, StreamedSet
from seq2seq_kit.data.training_set import TrainingSet, lengths
from seq2seq_kit.interfaces import EncodedExample, Example, Task


@dataclass
class Corpus:
    """Training and development data as ids; development data also as read, to be decoded and scored."""

    train: TrainingSet | StreamedSet
    dev: list[EncodedExample]
    dev_examples: list[Example]
    report: Report = field(default_factory=Report)

    def digest(self) -> str:
        """A fingerprint of the training data as ids: the same files, filters and tokenizers give the same one."""
        return self.train.digest


def load_corpus(config: DataConfig, task: Task, *, prepare: bool, seed: int = 1, folder: Path | None = None) -> Corpus:
    """Read and encode what a configuration names, or find what was encoded before.

    Args:
        prepare: first let the task learn its tokenizers from the training data (a new run).
        seed: of the order in which corpora are mixed, and of noise.
        folder: where to keep the encoded training data if ``data.cache`` does not say; None: in memory.

    Raises:
        DataError: a file is missing, malformed, empty or changed, or no example is left.
    """
    dev_examples = list(task.read(config.dev, config.on_error))
    train, report = training_set(config, task, prepare=prepare, seed=seed, folder=folder)
    return Corpus(train, task.encode(dev_examples), dev_examples, report)


@overload
def token_batches(examples: Sequence[EncodedExample], batch_tokens: int, seed: int) -> TokenBatches: ...


@overload
def token_batches(examples: StreamedSet, batch_tokens: int, seed: int) -> TokenBatches | StreamedBatches: ...


def token_batches(
    examples: StreamedSet | Sequence[EncodedExample], batch_tokens: int, seed: int
) -> TokenBatches | StreamedBatches:
    """Batches of like length; see :class:`TokenBatches`."""
    if isinstance(examples, StreamedSet):
        return StreamedBatches(examples, batch_tokens, seed)
    if isinstance(examples, TrainingSet):
        return TokenBatches(examples.lengths, batch_tokens, seed, examples.mixture)
    return TokenBatches([lengths(example) for example in examples], batch_tokens, seed)
