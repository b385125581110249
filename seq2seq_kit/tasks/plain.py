"""Plain sequence to sequence, for what no other task is made for: commands, arithmetic, inflection, code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from seq2seq_kit.config import component_field
from seq2seq_kit.data.fields import field_text, field_texts
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.interfaces import Example, Output
from seq2seq_kit.tasks.pairs import PairConfig, PairTask


class PlainConfig(PairConfig):
    """Configuration of :class:`Plain`."""

    name: str = "plain"
    source_tokenizer: component_field("tokenizer") = {  # type: ignore[valid-type]
        "name": "word",
        "split": "whitespace",
    }
    source_fields: list[str] = []
    """Fields of JSONL data that together are the source, in this order, ``separator`` between them; in the place of
    ``source_field``. A list in a field is its items with spaces between."""
    target_fields: list[str] = []
    """The same for the target: outputs then come in fields too, with ``--json``."""
    separator: str = Field(default=" | ", min_length=1)
    """What stands between fields."""
    reverse: bool = False
    """The other way round: the second column of TSV data, or the second of two files, is the source."""
    metrics: list[component_field("metric")] = Field(  # type: ignore[valid-type]
        default=["exact", "edit_distance"], min_length=1
    )
    """How outputs are scored; the first is the main one."""

    @model_validator(mode="after")
    def _fields_come_by_name(self) -> PlainConfig:
        if self.reverse and (self.source_fields or self.target_fields):
            raise PydanticCustomError("sentence", "fields say by their names which is the source: leave reverse out")
        return self


class Plain(PairTask):
    """Any sequence to any other. A token is what white space separates, unless the tokenizers say otherwise."""

    config: PlainConfig

    def __init__(self, config: PlainConfig) -> None:
        super().__init__(config)
        self.reverse = config.reverse
        self._sources = config.source_fields or [config.source_field]
        self._targets = config.target_fields or [config.target_field]

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The pairs of a TSV file or of two parallel ones, or the records of JSONL and tables."""
        if self.reverse:
            return super().read(paths, on_error)
        fields = [*self._sources, *self._targets, *self.config.extra_fields]
        return Examples(paths, on_error, record=self.example, extra_fields=fields)

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """A source, as it is; or a record with the source's fields and, where it has them, the target's."""
        if isinstance(given, str):
            return Example(given)
        present = all(name.partition(".")[0] in given for name in self._targets)
        return Example(
            self._joined(given, self._sources),
            self._joined(given, self._targets) if present else None,
            field_texts(given, "references"),
            extras={name: given[name] for name in self.config.extra_fields if name in given},
        )

    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """As for every text; with ``target_fields`` ``facts["fields"]`` holds the output's, where it has as many."""
        output = super().decode(example, hypotheses)
        for one in [output, *output.alternatives] if self.config.target_fields else []:
            values = one.text.split(self.config.separator)
            if len(values) == len(self._targets):
                one.facts["fields"] = dict(zip(self._targets, values, strict=True))
        return output

    def _joined(self, record: Mapping[str, Any], names: Sequence[str]) -> str:
        return self.config.separator.join(field_text(record, name) for name in names)
