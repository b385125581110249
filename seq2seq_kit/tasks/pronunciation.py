"""Pronunciation: the spelling of a word to its phonemes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from seq2seq_kit.config import component_field
from seq2seq_kit.data.fields import field_text, field_texts
from seq2seq_kit.data.lexicon import entry, without_stress
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.pairs import PairConfig, PairTask


class PronunciationConfig(PairConfig):
    """Configuration of :class:`Pronunciation`."""

    name: str = "pronunciation"
    source_tokenizer: component_field("tokenizer") = {"name": "char", "lowercase": True}  # type: ignore[valid-type]
    target_tokenizer: component_field("tokenizer") | None = {  # type: ignore[valid-type]
        "name": "word",
        "split": "whitespace",
    }
    source_field: str = "word"
    """The name of the spelling in JSONL data."""
    target_field: str = "pronunciation"
    """The name of the phonemes in JSONL data: text with spaces between them, or a list."""
    stress: bool = True
    """Keep the stress digits of ARPAbet vowels; false: ``AH0``, ``AH1`` and ``AH2`` are all ``AH``."""
    metrics: list[component_field("metric")] = Field(default=["ser", "per"], min_length=1)  # type: ignore[valid-type]
    """How outputs are scored; the first is the main one. ``ser`` is the word error rate of the literature: the share of
    words whose output is none of their pronunciations."""


class Pronunciation(PairTask):
    """Words and their phonemes, in any alphabet; a word may have several pronunciations.

    In evaluation all pronunciations of a word are references of one example.
    """

    config: PronunciationConfig

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The entries of a pronouncing dictionary (see :mod:`seq2seq_kit.data.lexicon`), of a TSV file, or of JSONL
        with ``references`` for further pronunciations."""
        c = self.config
        fields = [c.source_field, c.target_field, *c.extra_fields]
        return Examples(paths, on_error, line=self._entry, record=self.example, extra_fields=fields)

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """A word alone, or a record with it; and its pronunciations, where the record has any."""
        if isinstance(given, str):
            return Example(given.strip())
        c = self.config
        said = [field_text(given, c.target_field)] if c.target_field in given else []
        said = [self._phonemes(phonemes) for phonemes in [*said, *field_texts(given, "references")]]
        extras = {name: given[name] for name in c.extra_fields if name in given}
        return Example(field_text(given, c.source_field).strip(), said[0] if said else None, said[1:], extras=extras)

    def _entry(self, line: str) -> Example | None:
        found = entry(line)
        return None if found is None else Example(found[0], self._phonemes(found[1]))

    def _phonemes(self, text: str) -> str:
        return " ".join(text.split()) if self.config.stress else without_stress(text)
