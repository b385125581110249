"""Input lines as examples: one sentence each, or one JSON object with what is asked of its output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from seq2seq_kit.data.lines import as_text, raw_lines
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Example, Task


def read_examples(
    task: Task,
    stream: IO[bytes],
    name: str,
    *,
    as_json: bool,
    skip: bool,
    max_length: int,
    prefix: str | None = None,
    tag: str = "",
) -> Iterator[Example]:
    """One example a line, as the task understands it.

    Args:
        name: of the stream, for messages.
        as_json: a line is an object: ``source``, or what else the task reads, and any of
            :data:`seq2seq_kit.decoding.text_inputs.WISHES`.
        skip: a bad line becomes an example whose output is empty; else it stops the stream.
        max_length: most characters of a source.
        prefix: what outputs start with that say nothing else.
        tag: put before each source (of a line that is not JSON) but for blank ones, and those that have one.
    """
    from seq2seq_kit.decoding.documents import UNREADABLE
    from seq2seq_kit.decoding.text_inputs import check_wishes
    from seq2seq_kit.interfaces import Example

    for number, raw in enumerate(raw_lines(stream), 1):
        try:
            text = as_text(raw)
            if tag and text.strip() and not text.lstrip().startswith("<2"):
                text = tag + text
            example = _from_object(task, text) if as_json else task.example(text)
            if len(example.source) > max_length:
                raise ValueError(
                    f"has {len(example.source):,} characters, more than the limit of {max_length:,} "
                    "(--max-source-length)"
                )
            if prefix is not None and example.source:
                example.extras.setdefault("prefix", prefix)
            check_wishes(task, example)
            example.id = number
        except (ValueError, DataError) as problem:
            if not skip:
                raise DataError(f"{name}, line {number}: {problem}; --skip-bad leaves its output empty") from None
            print(f"{name}, line {number}: {problem}; skipped", file=sys.stderr)
            example = Example("", id=number, extras={UNREADABLE: True})
        yield example


def _from_object(task: Task, text: str) -> Example:
    from seq2seq_kit.decoding.text_inputs import WISHES

    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not valid JSON") from None
    if not isinstance(values, dict):
        raise ValueError("is not a JSON object")
    example = task.example(values)
    example.extras |= {name: values[name] for name in WISHES if name in values}
    return example
