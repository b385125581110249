"""Translation: text in one language to text in another, or in one of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from seq2seq_kit.data.readers import Examples
from seq2seq_kit.errors import ConfigError, DataError, UserError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.pairs import PairConfig, PairTask

_TAG = re.compile(r"\s*<2([\w-]+)>\s*")


class TranslationConfig(PairConfig):
    """Configuration of :class:`Translation`."""

    name: str = "translation"
    shared_vocabulary: bool = False
    """The two tokenizers, though not one, are known to give an id the same meaning: those of a pretrained model."""
    reverse: bool = False
    """Translate the other way: the second column of TSV data, or the second of two files, is the source."""
    languages: list[str] = []
    """The target languages of a model that has several. Every source then says which one is wanted: by a tag at its
    beginning, ``<2fr> How are you?``, or in JSONL by ``language_field`` (Johnson et al. 2017). Empty: there is one."""
    language_field: str = "target_language"
    """With ``languages``: the name of the target language in JSONL data."""

    @field_validator("languages")
    @classmethod
    def _can_be_tags(cls, languages: list[str]) -> list[str]:
        for language in languages:
            if not re.fullmatch(r"[\w-]+", language) or languages.count(language) > 1:
                message = "must be different words of letters, digits, '_' and '-', got {language}"
                raise PydanticCustomError("sentence", message, {"language": repr(language)})
        return languages


class Translation(PairTask):
    """Pairs of sentences; see :class:`PairTask`.

    With several target languages the model reads, before the source, a mark of the one that is wanted. No text can
    spell it: a tag is taken off the text first.
    """

    config: TranslationConfig

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__(config)
        self.reverse = config.reverse
        self.shared_vocabulary = config.shared_tokenizer or config.shared_vocabulary
        self._marked = self._mark([f"<2{language}>" for language in config.languages]) if config.languages else None

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The pairs of a TSV or JSONL file, or of two parallel files, with tags where there are several languages."""
        c = self.config
        if not c.languages:
            return super().read(paths, on_error)
        fields = [c.source_field, c.target_field, c.language_field, *c.extra_fields]
        how: dict[str, Any] = {"record": self._tagged_record, "adapt": self._tagged, "extra_fields": fields}
        return Examples(paths, on_error, reverse=self.reverse, **how)

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """A text, or the ``source`` of a record; with several languages, of one that says which is wanted."""
        example = super().example(given)
        if not self.config.languages or not example.source.strip():
            return example
        if isinstance(given, Mapping) and self.config.language_field in given:
            return self._tagged(replace(example, source=f"<2{given[self.config.language_field]}> {example.source}"))
        return self._tagged(example)

    def target_tag(self, language: str) -> str:
        """``<2fr> ``; raises :class:`UserError` where the run has no such language."""
        if language not in self.config.languages:
            there_is = ", ".join(self.config.languages) or "one only, which needs no name"
            raise UserError(f"there is no target language {language!r} in this run (there is: {there_is})")
        return f"<2{language}> "

    def learnt_from(self, example: Example) -> str:
        """The source, without the tag of the target language."""
        return self._language_and_text(example.source)[1]

    def marks(self, example: Example) -> int:
        """1 where there is the mark of a language."""
        return int(self._language_and_text(example.source)[0] is not None)

    def encode_sources(self, sources: Sequence[str]) -> list[list[int]]:
        """Ids of sources, with the mark of the target language before the text."""
        if self._marked is None:
            return super().encode_sources(sources)
        pairs = [self._language_and_text(source) for source in sources]
        for language, text in pairs:
            if language is None and text.strip():
                raise DataError(f"the source {text[:60]!r} {self._wanted()}")
        marks = [[] if language is None else [self._marked.mark(f"<2{language}>")] for language, _ in pairs]
        before = len(self.source_tokenizer.prefix)
        encoded = super().encode_sources([text for _, text in pairs])
        return [[*ids[:before], *mark, *ids[before:]] for ids, mark in zip(encoded, marks, strict=True)]

    def sentences(self, example: Example) -> list[Example]:
        """An example for each sentence of the source, with its tag."""
        language, text = self._language_and_text(example.source)
        tag = "" if language is None else f"<2{language}> "
        parts = super().sentences(replace(example, source=text))
        return [replace(part, source=tag + part.source) for part in parts]

    def _language_and_text(self, source: str) -> tuple[str | None, str]:
        """The wanted language, where one is, and the text."""
        found = _TAG.match(source) if self.config.languages else None
        if found is None or found[1] not in self.config.languages:
            return None, source
        return found[1], source[found.end() :]

    def _tagged(self, example: Example) -> Example:
        """The example, if its source says which language is wanted."""
        if self._language_and_text(example.source)[0] is None:
            raise DataError(self._wanted())
        return example

    def _wanted(self) -> str:
        tags = ", ".join(f"<2{language}>" for language in self.config.languages)
        return f"does not say into which language: it must begin with one of {tags}"

    def _tagged_record(self, given: Mapping[str, Any]) -> Example:
        example = self._from_record(given)
        language = given.get(self.config.language_field)
        return example if language is None else replace(example, source=f"<2{language}> {example.source}")

    def _set_specs(self) -> None:
        super()._set_specs()
        source, target = self.source_tokenizer.vocab_size, self.target_tokenizer.vocab_size
        if self.shared_vocabulary and source != target:
            raise ConfigError(
                f"task.shared_vocabulary: the tokenizers have {source:,} and {target:,} tokens: they share none"
            )
