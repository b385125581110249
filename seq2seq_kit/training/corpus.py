"""The data of a run, read and encoded once."""

from __future__ import annotations

import hashlib
import logging
from array import array
from dataclasses import dataclass

from seq2seq_kit.data.batching import TokenBatches
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import EncodedExample, Example, Task
from seq2seq_kit.run_config import DataConfig

log = logging.getLogger(__name__)


@dataclass
class Corpus:
    """Training and development data as ids; development data also as read, to be decoded and scored."""

    train: list[EncodedExample]
    dev: list[EncodedExample]
    dev_examples: list[Example]

    def digest(self) -> str:
        """A fingerprint of the training data as ids: the same files and tokenizers give the same one."""
        sha256 = hashlib.sha256()
        for example in self.train:
            sha256.update(array("q", [len(example.source), *example.source, *(example.target or [])]).tobytes())
        return sha256.hexdigest()


def load_corpus(config: DataConfig, task: Task, *, prepare: bool) -> Corpus:
    """Read and encode what a configuration names.

    Args:
        prepare: first let the task learn its tokenizers from the training data (a new run).

    Raises:
        DataError: a file is missing, malformed or empty, or no example is left.
    """
    examples = list(task.read(config.train, config.on_error))
    if prepare:
        task.prepare(examples)
    encoded = task.encode(examples)
    train = [e for e in encoded if max(_lengths(e)) <= config.max_length]
    dev_examples = list(task.read(config.dev, config.on_error))
    if not train:
        raise DataError(
            f"{' and '.join(config.train)}: none of the {len(encoded):,} training examples has at most "
            f"{config.max_length} tokens (data.max_length)"
        )
    if len(train) < len(encoded):
        left_out, limit = len(encoded) - len(train), config.max_length
        log.warning("left out %s training examples with more than %d tokens (data.max_length)", f"{left_out:,}", limit)
    return Corpus(train, task.encode(dev_examples), dev_examples)


def token_batches(examples: list[EncodedExample], batch_tokens: int, seed: int) -> TokenBatches:
    """Batches of like length; see :class:`TokenBatches`."""
    return TokenBatches([_lengths(example) for example in examples], batch_tokens, seed)


def _lengths(example: EncodedExample) -> tuple[int, int]:
    return len(example.source), len(example.target or [])
