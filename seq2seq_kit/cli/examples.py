"""Input lines as examples: one sentence each, or one JSON object with what is asked of its output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Example


def read_examples(
    stream: IO[bytes], name: str, *, as_json: bool, skip: bool, max_length: int, prefix: str | None = None
) -> Iterator[Example]:
    """One example a line.

    Args:
        name: of the stream, for messages.
        as_json: a line is an object: ``source``, and any of :data:`seq2seq_kit.decoding.text_inputs.WISHES`.
        skip: a bad line becomes an empty source, whose output is empty too; else it stops the stream.
        max_length: most characters of a source.
        prefix: what outputs start with that say nothing else.
    """
    from seq2seq_kit.interfaces import Example

    parse = _object if as_json else _sentence
    for number, raw in enumerate(stream, 1):
        try:
            example = parse(_text(raw), number)
            if len(example.source) > max_length:
                raise ValueError(
                    f"has {len(example.source):,} characters, more than the limit of {max_length:,} "
                    "(--max-source-length)"
                )
        except ValueError as problem:
            if not skip:
                raise DataError(f"{name}, line {number}: {problem}; --on-error skip leaves its output empty") from None
            print(f"{name}, line {number}: {problem}; skipped", file=sys.stderr)
            example = Example("", id=number)
        if prefix is not None and example.source:
            example.extras.setdefault("prefix", prefix)
        yield example


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not valid UTF-8 (byte {error.start})") from None


def _sentence(text: str, number: int) -> Example:
    from seq2seq_kit.interfaces import Example

    return Example(text, id=number)


def _object(text: str, number: int) -> Example:
    from seq2seq_kit.decoding.text_inputs import WISHES
    from seq2seq_kit.interfaces import Example

    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON") from None
    if not isinstance(values, dict) or not isinstance(values.get("source"), str):
        raise ValueError("is not an object with a text 'source'")
    return Example(values["source"], id=number, extras={name: values[name] for name in WISHES if name in values})
