"""What the tasks share whose source and target are both texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from seq2seq_kit.config import ComponentConfig, TaskConfig, component_field
from seq2seq_kit.data.fields import field_text, field_texts
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.decoding.alignment import word_alignment, words_of
from seq2seq_kit.decoding.copying import Reader, WholeWords, replace_unknown
from seq2seq_kit.decoding.documents import split_sentences
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import ConfigError, DataError, UserError
from seq2seq_kit.interfaces import (
    Batch,
    EncodedExample,
    Example,
    Metric,
    Output,
    SourceSpec,
    Tokenizer,
)
from seq2seq_kit.registry import build
from seq2seq_kit.tasks.copies import COPIES, NOTHING, WithOwnWords, copied_words, copy_extras, own_words
from seq2seq_kit.tasks.text import Texts, TextTask, padded, repeatable, source_of, target_of
from seq2seq_kit.tokenizers.marked import MarkedTokenizer, unmarked

T = TypeVar("T")


class PairConfig(TaskConfig):
    """What all of them can be told."""

    source_tokenizer: component_field("tokenizer") = "bpe"  # type: ignore[valid-type]
    target_tokenizer: component_field("tokenizer") | None = None  # type: ignore[valid-type]
    """Default: the same section as the source's, learnt from the targets."""
    shared_tokenizer: bool = False
    """One vocabulary for both sides, learnt from both as ``source_tokenizer`` says."""
    copying: bool = False
    """Tell the model which target token each source token is, words that the vocabulary lacks among them; for decoders
    that copy. Tokens are whole words (``word``), or both sides have one tokenizer."""
    source_field: str = "source"
    """The name of the source in JSONL data."""
    target_field: str = "target"
    """The name of the target in JSONL data."""
    extra_fields: list[str] = []
    """Further fields of JSONL, Parquet and hub data, kept beside the text in ``Example.extras``; for filters."""
    metrics: list[component_field("metric")] = Field(  # type: ignore[valid-type]
        default=["chrf", "bleu"], min_length=1
    )
    """How outputs are scored; the first is the main one."""
    group_references: bool = True
    """In evaluation data, lines of one source are one example, scored once with all their targets as references; false:
    each line is scored alone."""

    @model_validator(mode="after")
    def _one_shared_section(self) -> PairConfig:
        if self.shared_tokenizer and self.target_tokenizer not in (None, self.source_tokenizer):
            raise PydanticCustomError(
                "sentence", "with shared_tokenizer there is one tokenizer: leave target_tokenizer out"
            )
        return self


class PairTask(TextTask):
    """Base of the tasks whose source and target are texts, each with its tokenizer, or both with one.

    The source, too, ends with EOS: it marks where the text ends, gives attention a place to look when the output is
    complete, and makes an empty text a sequence of one token. ``Output.source_tokens`` therefore ends with ``</s>`` and
    has as many entries as the attention has columns (for an encoder that keeps the length).
    """

    config: PairConfig
    reverse: bool = False
    """The second column of TSV data, or the second of two files, is the source."""

    def __init__(self, config: PairConfig) -> None:
        self.config = config
        self.copies = config.copying
        self.shared_vocabulary = config.shared_tokenizer
        self.group_references = config.group_references
        self.source_tokenizer: Tokenizer = build("tokenizer", config.source_tokenizer)
        self.target_tokenizer: Tokenizer = (
            self.source_tokenizer if config.shared_tokenizer else build("tokenizer", self.target_section)
        )
        self._known: dict[str, int] = {}  # the words that can be copied and their ids; where tokens are whole words
        self._whole_words = all(isinstance(t, WholeWords) for t in (self.source_tokenizer, self.target_tokenizer))
        if config.copying and not (self._whole_words or config.shared_tokenizer):
            raise ConfigError(
                "task.copying: a source token is a target token where both sides have one tokenizer (shared_tokenizer: "
                "true), or where tokens are whole words (source_tokenizer: word)"
            )

    @property
    def target_section(self) -> ComponentConfig:
        section: ComponentConfig = self.config.target_tokenizer or self.config.source_tokenizer
        return section

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The pairs of a TSV or JSONL file, or of two parallel files; see :class:`Examples`."""
        c = self.config
        fields: dict[str, Any] = {"source_field": c.source_field, "target_field": c.target_field}
        return Examples(paths, on_error, reverse=self.reverse, extra_fields=c.extra_fields, **fields)

    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn the tokenizers: each from its side, or a shared one from both."""
        examples = repeatable(examples)
        if self.config.shared_tokenizer:
            self.source_tokenizer.train(Texts(examples, (self.learnt_from, target_of)))
        else:
            self.source_tokenizer.train(Texts(examples, (self.learnt_from,)))
            self.target_tokenizer.train(Texts(examples, (target_of,)))
        self._set_specs()

    def learnt_from(self, example: Example) -> str:
        """The text of an example's source that tokenizers learn from."""
        return source_of(example)

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Ids of sources and, where there are any, of targets; each ends with EOS (a source as its tokenizer says)."""
        sources = [self.cut(ids) for ids in self.encode_sources([example.source for example in examples])]
        with_target = [i for i, example in enumerate(examples) if example.target is not None]
        targets = dict(
            zip(with_target, self.target_tokenizer.encode([target_of(examples[i]) for i in with_target]), strict=True)
        )
        return [
            self._encoded(example, source, targets.get(i))
            for i, (example, source) in enumerate(zip(examples, sources, strict=True))
        ]

    def _encoded(self, example: Example, source: list[int], target: list[int] | None) -> EncodedExample:
        """An example with the ids of what is read of its source, and those of its target's text."""
        extras = example.extras
        if self.copies:
            copied, own = self._copied(example, source)
            extras = {**extras, COPIES: copied}
            if target is not None and own:
                first = self.target_tokenizer.vocab_size
                ids = {word: first + k for k, word in enumerate(own)}
                words = self._split(self.target_tokenizer, target_of(example))
                target = [ids.get(word, token) for word, token in zip(words, target, strict=True)]
        if target is not None:
            target = [*self.target_prefix, *target, self.target_tokenizer.eos_id]
        return EncodedExample(source, target, id=example.id, extras=extras)

    def _copied(self, example: Example, source: Sequence[int]) -> tuple[list[int], list[str]]:
        """For each position of a source the target id to copy, and the source's own words."""
        if self._whole_words:
            words = self.source_words(example)
            first = self.target_tokenizer.vocab_size
            return copied_words(words, self._known, first), own_words(words, self._known)
        t = self.target_tokenizer
        marks = {t.pad_id, t.bos_id, t.eos_id, t.unk_id, *t.prefix, *t.suffix}
        entries = unmarked(t).vocab_size
        return [token if token < entries and token not in marks else NOTHING for token in source], []

    def encode_sources(self, sources: Sequence[str]) -> list[list[int]]:
        """Ids of sources, with what the tokenizer puts before and after them."""
        before, after = self.source_tokenizer.prefix, self.source_tokenizer.suffix
        return [[*before, *ids, *after] for ids in self.source_tokenizer.encode(sources)]

    def cut(self, items: list[T]) -> list[T]:
        """What is read of a source, given an item for each of its ids: all of it."""
        return items

    def marks(self, example: Example) -> int:
        """How many marks stand between what the tokenizer puts before a source and its text."""
        return 0

    def source_words(self, example: Example) -> list[str | None]:
        """The word at each position of the source that the model reads; None at a mark and at the end symbol. For
        tokenizers of whole words."""
        before, after = self.source_tokenizer.prefix, self.source_tokenizer.suffix
        words = self._split(self.source_tokenizer, self.learnt_from(example))
        return self.cut([*[None] * (len(before) + self.marks(example)), *words, *[None] * len(after)])

    @staticmethod
    def _split(tokenizer: Tokenizer, text: str) -> list[str]:
        whole: Any = unmarked(tokenizer)
        words: list[str] = whole.split(text)
        return words

    def reader(self, example: Example) -> Reader:
        """The target's tokenizer; where words are copied, with the source's own."""
        if not (self.copies and self._whole_words):
            return self.target_tokenizer
        return WithOwnWords(self.target_tokenizer, own_words(self.source_words(example), self._known))

    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad to the right and stack. Targets are there when every example has one."""
        source, source_mask = padded([example.source for example in examples], self.source_tokenizer.pad_id)
        target = target_mask = None
        targets = [example.target for example in examples if example.target is not None]
        if len(targets) == len(examples):
            target, target_mask = padded(targets, self.target_tokenizer.pad_id)
        batch = Batch(source, source_mask, target, target_mask, [example.id for example in examples])
        if self.copies:
            batch.extras = copy_extras([_copies(example) for example in examples], self.target_tokenizer.vocab_size)
        return batch

    def source_ids(self, example: Example) -> list[int]:
        """The ids of the source that the model reads, what is put before and after it among them."""
        return self.cut(self.encode_sources([example.source])[0])

    def source_tokens(self, example: Example) -> list[str]:
        """The tokens of the source that the model reads, what is put before and after it among them; words that can be
        copied, unknown ones too."""
        ids = self.source_ids(example)
        tokens = self.source_tokenizer.tokens(ids)
        if not (self.copies and self._whole_words):
            return tokens
        unknown = self.source_tokenizer.unk_id
        own = zip(ids, self.source_words(example), tokens, strict=True)
        return [word if token == unknown and word is not None else text for token, word, text in own]

    def sentences(self, example: Example) -> list[Example]:
        """An example for each sentence of the source."""
        return [replace(example, source=sentence) for sentence in split_sentences(example.source)]

    def decode_copying(
        self, example: Example, hypotheses: Sequence[Hypothesis], dictionary: Mapping[str, str]
    ) -> Output:
        """As :meth:`decode`, source words in the place of unknown ones in the text; ``tokens`` shows what was written.

        Raises:
            UserError: the tokens are not whole words, or the decoder gives no attention over them.
        """
        if not self._whole_words:
            raise UserError("unknown words can be replaced where both tokenizers have whole words for tokens ('word')")
        given, target = self.source_words(example), unmarked(self.target_tokenizer)
        assert isinstance(target, WholeWords)
        reader = WithOwnWords(self.target_tokenizer, own_words(given, self._known) if self.copies else [])
        [unknown] = reader.words([self.target_tokenizer.unk_id])
        texts = []
        for hypothesis in hypotheses:
            if hypothesis.attention is None:
                raise UserError("unknown words are replaced as attention says, and this run's decoder gives none")
            words = reader.words(self.without_eos(hypothesis))
            texts.append(target.join(replace_unknown(words, unknown, given, hypothesis.attention, dictionary)))
        return self.output(example, hypotheses, texts)

    def decode_aligned(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """As :meth:`decode`, with ``facts["word_alignment"]``: [source word, target word] pairs."""
        output = self.decode(example, hypotheses)
        source, reader = words_of(self.source_tokenizer, self.source_ids(example)), self.reader(example)
        for one, hypothesis in zip([output, *output.alternatives], hypotheses, strict=False):
            if hypothesis.attention is None:
                raise UserError("words are aligned as attention says, and this run's decoder gives none")
            target = words_of(reader, self.without_eos(hypothesis))
            one.facts["word_alignment"] = word_alignment(source, target, hypothesis.attention)
        return output

    def tokenizers(self) -> dict[str, Tokenizer]:
        """``source`` and ``target``."""
        return {"source": self.source_tokenizer, "target": self.target_tokenizer}

    def metrics(self) -> dict[str, Metric]:
        """The configured metrics by name."""
        return {section.name: build("metric", section) for section in self.config.metrics}

    def save(self, directory: Path) -> None:
        """Write ``source.json`` and ``target.json``, or ``shared.json``."""
        for name, tokenizer in self._files().items():
            tokenizer.save(directory / name)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; raises :class:`CheckpointError` where it is missing or damaged."""
        for name, tokenizer in self._files().items():
            tokenizer.load(directory / name)
        self._set_specs()

    def _mark(self, marks: Sequence[str]) -> MarkedTokenizer:
        """Add marks to the vocabulary of sources, and where there is one vocabulary, to that of targets."""
        marked = MarkedTokenizer(self.source_tokenizer, marks)
        if self.config.shared_tokenizer:
            self.target_tokenizer = marked
        self.source_tokenizer = marked
        return marked

    def _from_record(self, given: Mapping[str, Any], references: str = "references") -> Example:
        """The example of a record: its target is there if the record has one, its further targets in ``references``."""
        c = self.config
        return Example(
            field_text(given, c.source_field),
            field_text(given, c.target_field) if given.get(c.target_field) is not None else None,
            field_texts(given, references),
            extras={name: given[name] for name in c.extra_fields if name in given},
        )

    def _files(self) -> dict[str, Tokenizer]:
        if self.config.shared_tokenizer:
            return {"shared.json": self.source_tokenizer}
        return {"source.json": self.source_tokenizer, "target.json": self.target_tokenizer}

    def _set_specs(self) -> None:
        self.source_spec = SourceSpec(self.source_tokenizer.vocab_size, self.source_tokenizer.pad_id)
        self.target_spec = self._target_spec()
        self.target_prefix = self.target_tokenizer.prefix
        if self.copies and self._whole_words:
            t: Any = unmarked(self.target_tokenizer)
            tokens = [i for i in range(t.vocab_size) if i not in (t.pad_id, t.bos_id, t.eos_id, t.unk_id)]
            self._known = dict(zip(t.words(tokens), tokens, strict=True))


def _copies(example: EncodedExample) -> list[int]:
    """What can be copied of an example's source."""
    copies: list[int] = example.extras.get(COPIES, [])
    if len(copies) != len(example.source):
        raise DataError(
            f"example {example.id}: has {len(example.source)} source tokens and {len(copies)} to copy: with "
            "task.copying a transform may not change the ids of a source in number"
        )
    return copies
