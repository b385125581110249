"""The contract of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.interfaces.batch import Batch
from seq2seq_kit.interfaces.example import EncodedExample, Example
from seq2seq_kit.interfaces.metric import Metric
from seq2seq_kit.interfaces.output import Output
from seq2seq_kit.interfaces.specs import SourceSpec, TargetSpec
from seq2seq_kit.interfaces.tokenizer import Tokenizer

if TYPE_CHECKING:
    from seq2seq_kit.decoding.hypothesis import Hypothesis


class Task(ABC):
    """What sequences mean: reads examples, owns tokenizers, and turns hypotheses into its own output type.

    Built as ``cls(config)``, then prepared (training) or loaded (decoding).
    """

    config: Any
    """The section that it was built with, a :class:`seq2seq_kit.config.ComponentConfig`."""
    source_spec: SourceSpec | None
    """None: there is no source, and what a user gives to decode is what the output starts with (a language model)."""
    target_spec: TargetSpec
    target_prefix: tuple[int, ...] = ()
    """What every encoded target begins with: the code of a language, say."""
    shared_vocabulary: bool = False
    """An id means the same token in a source and in a target."""
    copies: bool = False
    """Its batches say what can be copied from a source, for decoders that copy, and targets may have ids of V and more:
    the k-th (from 0) of the example's own words, which the vocabulary lacks, is V + k. In ``Batch.extras`` are
    ``copies`` [B, S] int64, the target id of what stands at each source position (-1: nothing to copy), and
    ``own_words`` [B, N] bool, which of the ids V to V + N - 1 the sentence has. ``decode`` makes words of them."""
    group_references: bool = True
    """In evaluation data, lines of one source are one example with several references."""
    measures_perplexity: bool = False
    """The evaluation of a run also measures how likely it finds the targets."""
    longest_line: int = 10_000
    """Characters of an input line that the task's verb takes, unless it is told otherwise."""

    @abstractmethod
    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Iterator[Example]:
        """The examples of a data file (or of parallel files, one a side)."""

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """What a user gives to be decoded, as an example: a line of text, or a record with named fields. By default the
        text, or the record's ``source``, is the source.

        Raises:
            DataError: a field is missing or wrong; the message is the rest of a sentence that begins with where.
        """
        source = given.get("source") if isinstance(given, Mapping) else given
        if not isinstance(source, str):
            raise DataError("is not an object with a text 'source'")
        return Example(source)

    def conversation(self, turns: Sequence[str]) -> Example:
        """The example whose output answers a conversation: the user's and the system's turns, oldest first, the last
        one the user's. For tasks that converse."""
        raise UserError(f"{type(self).__name__} holds no conversations")

    def sentences(self, example: Example) -> list[Example]:
        """The sentences of an example, to be decoded one by one and joined. For tasks that can."""
        raise UserError(f"{type(self).__name__} cannot split sentences")

    def target_tag(self, language: str) -> str:
        """What is put before a source so that the output is in ``language``. For tasks with several of them."""
        raise UserError(f"{type(self).__name__} has no choice of target languages")

    @abstractmethod
    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn tokenizers from the training examples, which can be iterated over several times, and set the specs."""

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Normalise and tokenize."""

    @abstractmethod
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad and stack."""

    @abstractmethod
    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """The task's output for one example from its n-best hypotheses (possibly none), best first."""

    def decode_copying(
        self, example: Example, hypotheses: Sequence[Hypothesis], dictionary: Mapping[str, str]
    ) -> Output:
        """As :meth:`decode`, with source words in the place of unknown ones, as the attention of each hypothesis says;
        a word that ``dictionary`` has is replaced by its entry. For tasks that can."""
        raise UserError(f"{type(self).__name__} cannot replace unknown words")

    def decode_aligned(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """As :meth:`decode`, and ``Output.facts["word_alignment"]`` says which words of the source the words of the
        text come from, as pairs of numbers from 0. For tasks that can."""
        raise UserError(f"{type(self).__name__} cannot align words")

    def tokenizers(self) -> dict[str, Tokenizer]:
        """The tokenizers by what they read: ``source``, ``target``; both may be one. For transforms of the data."""
        return {}

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """The task's metrics by name; the first one is the main one."""

    def baselines(self, examples: Sequence[Example]) -> dict[str, list[str]]:
        """By name, what answers made without a model would be, to be scored beside a run's outputs; by default none."""
        return {}

    def notices(self) -> list[str]:
        """What a user should know of the examples encoded since the last call, such as how many were cut; each a
        sentence without its end."""
        return []

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write the tokenizers' files."""

    @abstractmethod
    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote, and set the specs."""
