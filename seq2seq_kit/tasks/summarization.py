"""Summarization: a long text to a short one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field

from seq2seq_kit.config import component_field
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.pairs import PairConfig, PairTask

T = TypeVar("T")


class SummarizationConfig(PairConfig):
    """Configuration of :class:`Summarization`."""

    search_defaults: ClassVar[Mapping[str, Any]] = {"no_repeat_ngram": 3, "max_length": 128}

    name: str = "summarization"
    shared_tokenizer: bool = True
    """One vocabulary for both sides, learnt from both as ``source_tokenizer`` says."""
    source_field: str = "document"
    """The name of the text in JSONL data."""
    target_field: str = "summary"
    """The name of its summary in JSONL data."""
    references_field: str = "references"
    """The name of the list of further summaries in JSONL data, for evaluation."""
    max_source_length: int = Field(default=256, ge=3)
    """Tokens of a text that are read, the end symbol counted. How many texts are cut is reported."""
    truncation: Literal["end", "start", "middle"] = "end"
    """What of a longer text is left out. Of news the end matters least; of a thread, the middle."""
    metrics: list[component_field("metric")] = Field(  # type: ignore[valid-type]
        default=["rouge1", "rouge2", "rouge_l"], min_length=1
    )
    """How outputs are scored; the first is the main one."""

    @property
    def longest_source(self) -> int:
        """So that ``data.max_length`` is not below it."""
        return self.max_source_length


class Summarization(PairTask):
    """Texts and their summaries. A longer text than ``max_source_length`` tokens is cut, and counted.

    Unless a run says otherwise, no three tokens come twice in a summary (Paulus et al. 2018) and it has at most 128.
    """

    config: SummarizationConfig
    longest_line = 1_000_000

    def __init__(self, config: SummarizationConfig) -> None:
        super().__init__(config)
        self._cut = self._read = 0

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The records of JSONL and tables, the pairs of a TSV file, or those of two parallel ones."""
        c = self.config
        fields = [c.source_field, c.target_field, *([c.references_field] if c.references_field != "references" else [])]
        return Examples(paths, on_error, record=self.example, extra_fields=[*fields, *c.extra_fields])

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """A text, or a record with it and, where it has one, with its summary."""
        return Example(given) if isinstance(given, str) else self._from_record(given, self.config.references_field)

    def encode_sources(self, sources: Sequence[str]) -> list[list[int]]:
        """Ids of whole sources; those that are to be cut are counted for :meth:`notices`."""
        encoded = super().encode_sources(sources)
        self._cut += sum(1 for ids in encoded if len(ids) > self.config.max_source_length)
        self._read += sum(1 for source in sources if source)
        return encoded

    def source_ids(self, example: Example) -> list[int]:
        """The ids of the source that are read, what is put before and after it among them."""
        [ids] = super().encode_sources([example.source])
        return self.cut(ids)

    def cut(self, items: list[T]) -> list[T]:
        """What is read of a source, what the tokenizer puts around it included."""
        if len(items) <= self.config.max_source_length:
            return items
        before, after = len(self.source_tokenizer.prefix), len(self.source_tokenizer.suffix)
        text = items[before : len(items) - after]
        room = self.config.max_source_length - before - after
        first = {"end": room, "start": 0, "middle": (room + 1) // 2}[self.config.truncation]
        return [*items[:before], *text[:first], *text[len(text) - (room - first) :], *items[len(items) - after :]]

    def notices(self) -> list[str]:
        """How many sources were cut since the last call."""
        cut, read = self._cut, self._read
        self._cut = self._read = 0
        if not cut:
            return []
        c = self.config
        return [
            f"cut {cut:,} of {read:,} texts to {c.max_source_length} tokens, leaving out the {c.truncation} "
            "(task.max_source_length, task.truncation)"
        ]

    def baselines(self, examples: Sequence[Example]) -> dict[str, list[str]]:
        """``lead``: the first words of each text, as many as its references have on average over all examples;
        ``random``: as many words in a row from anywhere in it, drawn with a fixed seed."""
        lengths = [len(reference.split()) for example in examples for reference in example.references]
        count = max(1, round(sum(lengths) / max(1, len(lengths))))
        generator = random.Random(1)
        lead, anywhere = [], []
        for example in examples:
            words = example.source.split()
            start = generator.randrange(max(1, len(words) - count + 1))
            lead.append(" ".join(words[:count]))
            anywhere.append(" ".join(words[start : start + count]))
        return {"lead": lead, "random": anywhere}
