"""Named fields of a record (an object of JSONL data, a row of a table) as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_kit.errors import DataError


def field_text(record: Mapping[str, Any], name: str) -> str:
    """The field ``name`` as text (``a.b``: the field ``b`` of the field ``a``).

    A number is as JSON writes it, a list is its items with spaces between.

    Raises:
        DataError: there is no such field, or it is an object or nothing; the rest of a sentence that says where.
    """
    return _text(_find(record, name), name)


def field_texts(record: Mapping[str, Any], name: str) -> list[str]:
    """The list of texts in the field ``name``; empty where there is no such field, or nothing in it."""
    values = record.get(name) or []
    if not isinstance(values, (list, tuple)):
        raise DataError(f"its {name!r} must be a list, is a {type(values).__name__}")
    return [_text(value, name) for value in values]


def _find(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    outer, dot, inner = name.partition(".")
    if dot and isinstance(record.get(outer), Mapping):
        return _find(record[outer], inner)
    raise DataError(f"has no field {name!r} (there is: {', '.join(map(repr, record)) or 'none'})")


def _text(value: Any, name: str) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(_text(item, name) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"its {name!r} must be text, a number or a list of them, is a {type(value).__name__}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        raise DataError(f"its {name!r} holds half of a surrogate pair") from None
    return value
