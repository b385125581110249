"""A filter: only examples with a given value in a field, such as a language tag."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field as PydanticField

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example, Task, Transform


class FieldConfig(ComponentConfig):
    """Configuration of :class:`Field`."""

    name: str = "field"
    field: str
    """The name of a field of the data, which the task must read too (``task.extra_fields``)."""
    values: list[Any] = PydanticField(min_length=1)
    """The values that it may have."""


class Field(Transform):
    """Leaves out examples that have something else in a field, for instance another pair of languages."""

    def __init__(self, config: FieldConfig, task: Task) -> None:
        self.config = config

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        c = self.config
        if c.field not in example.extras:
            raise DataError(
                f"example {example.id} has no field {c.field!r}, which data.filters asks for: name it in "
                "task.extra_fields, and give data with fields (JSONL, Parquet)"
            )
        return example if example.extras[c.field] in c.values else None
