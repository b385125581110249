"""Reads examples from TSV, JSONL and parallel text, plain or gzipped, one line at a time, and from tables.

A TSV line is ``source TAB target``, split at the tab and nowhere else: there is no quoting and no escape, a quotation
mark is text. A JSONL line is an object with a source and a target; ``references`` may hold a list of further correct
targets. A Parquet file or a data set of the hub (see :mod:`seq2seq_kit.data.tables`) has the same fields; ``a.b`` names
the field ``b`` of the field ``a``. Two parallel files hold one sentence a line, line N of one beside line N of the
other. Where only targets are wanted (``targets_only``), a file that is neither TSV nor JSONL by its name holds one a
line, and empty lines between them are passed over.

Files are UTF-8; a byte-order mark at the start and the ends of lines (LF or CRLF) are dropped, all else is
kept, but a zero byte makes a line a malformed one, as more than 10 million bytes do: it is no text.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Literal

from seq2seq_kit.data import phrasebook
from seq2seq_kit.data.lines import MalformedLine, as_text, raw_lines
from seq2seq_kit.data.tables import HUB, is_table, rows
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example

OnError = Literal["stop", "skip"]

PHRASEBOOK = "phrasebook:"
"""``phrasebook:train`` and so on name the corpus in the package."""

_GZIP = b"\x1f\x8b"
_SHOWN = 5
"""How many numbers of malformed lines a report lists."""

log = logging.getLogger(__name__)


@dataclass
class ReadReport:
    """What a reader has met so far."""

    name: str
    """The file, or the two."""
    examples: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """How many malformed lines of each kind, e.g. ``{"invalid UTF-8": 2}``."""
    lines: list[int] = field(default_factory=list)
    """The numbers of the first few of them."""

    def __str__(self) -> str:
        total = self.skipped.total()
        kinds = ", ".join(f"{count:,} × {kind}" for kind, count in self.skipped.most_common())
        lines = ", ".join(map(str, self.lines)) + (", …" if total > len(self.lines) else "")
        return f"{self.name}: skipped {total:,} malformed line{'s' * (total > 1)} ({kinds}): line {lines}"


class Examples(Iterator[Example]):
    """The examples of one data file or of two parallel ones, read as they are asked for.

    Args:
        paths: one path, or two: sources and targets. ``phrasebook:train`` names a part of the corpus in the package,
            ``hf:NAME`` a data set of the hub.
        on_error: ``"stop"`` raises at the first malformed line; ``"skip"`` leaves it out and counts it in ``report``,
            which is logged as a warning at the end.
        source_field: the name of the source in JSONL and tables.
        target_field: the name of the target there.
        extra_fields: further fields there, to be kept in ``extras``.
        reverse: the second column of TSV, or the second file, is the source. Fields say by their names which is which.
        targets_only: there is one file, and the source of every example is empty.
        line: what a task makes of a line of TSV or other text (without its end) in the place of splitting it at the
            tab; None passes over it. A :class:`DataError` that it raises makes the line a malformed one.
        record: the same for an object of JSONL data or a row of a table, whose columns ``extra_fields`` names then.
        adapt: what a task makes of an example, such as a source that names a file, checked to be there. A
            :class:`DataError` that it raises makes the line a malformed one.

    Each example's ``id`` is the number of its line or row, counted from 1.

    Raises:
        DataError: at once when a file is missing or is none; while reading, for a malformed line (file and line are
            named), parallel files of different length, a damaged gzip or Parquet file, or no example at all.
    """

    def __init__(
        self,
        paths: Sequence[str],
        on_error: OnError = "stop",
        *,
        source_field: str = "source",
        target_field: str = "target",
        extra_fields: Sequence[str] = (),
        reverse: bool = False,
        targets_only: bool = False,
        line: Callable[[str], Example | None] | None = None,
        record: Callable[[dict[str, Any]], Example] | None = None,
        adapt: Callable[[Example], Example] | None = None,
    ) -> None:
        self._line, self._record = line, record
        self._adapt = adapt
        self._on_error = on_error
        self._targets_only = targets_only
        self._reverse = reverse
        self._source_field, self._target_field, self._extra_fields = source_field, target_field, extra_fields
        if targets_only and len(paths) != 1:
            raise DataError(f"give one file of texts, not {len(paths)}: there are no sources")
        if len(paths) not in (1, 2):
            raise DataError(f"give one data file, or two parallel ones (source, target), not {len(paths)}")
        self._paths = [_resolve(path) for path in paths]
        self._format = _format(paths[0])
        self.report = ReadReport(" and ".join(map(str, self._paths)))
        for path in paths:
            if reverse and not targets_only and _format(path) in ("jsonl", "table"):
                raise DataError(
                    f"{path}: 'reverse' swaps columns or files, and here are fields: leave it out and give "
                    f"source_field: {target_field} and target_field: {source_field}"
                )
            if len(paths) == 2 and _format(path) != "text":
                raise DataError(
                    f"{path}: holds pairs, and two files are read as parallel text (sources, then targets), "
                    "one sentence a line: give a file of pairs alone"
                )
        self._table: Iterator[dict[str, Any]] | None = None
        if self._format == "table":
            fields = [] if record is not None else [target_field, *([] if targets_only else [source_field])]
            names = [*fields, *extra_fields, "references"]
            self._table = rows(paths[0], names)
        self._iterator = self._read()

    def __next__(self) -> Example:
        return next(self._iterator)

    def _read(self) -> Iterator[Example]:
        """All examples, then the checks that can be made only at the end."""
        report, lines = self.report, 0
        with ExitStack() as stack:
            streams: list[Iterator[Any]] = (
                [self._table]
                if self._table is not None
                else [_lines(stack.enter_context(_open(path)), path) for path in self._paths]
            )
            for lines, row in enumerate(zip_longest(*streams), 1):
                if None in row:
                    self._uneven(lines - 1, row, streams)
                if self._only_targets and not row[0].strip():
                    continue
                try:
                    read = self._example(lines, row)
                    if read is None:
                        continue
                    example = self._checked(read)
                except MalformedLine as error:
                    self._malformed(error, lines)
                    continue
                report.examples += 1
                yield example
        if report.examples == 0 and not report.skipped:
            raise DataError(f"{report.name}: is empty: it holds no example")
        if report.examples == 0:
            raise DataError(f"{report}; there is no usable example")
        if report.skipped:
            log.warning("%s", report)

    def _example(self, number: int, row: tuple[Any, ...]) -> Example | None:
        if self._format == "table":
            return self._from_record(row[0], number)
        if len(row) == 2:
            texts = [_text_of(raw, path) for raw, path in zip(row, self._paths, strict=True)]
            return self._pair(texts, number)
        text = as_text(row[0])
        if self._line is not None and self._format in ("tsv", "text"):
            return _numbered(self._line, text, number)
        if not text.strip():
            raise MalformedLine("empty line", "is empty")
        if self._only_targets:
            return Example("", text, id=number)
        if self._format == "jsonl":
            return self._from_json(text, number)
        columns = text.split("\t")
        if len(columns) != 2:
            found = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
            raise MalformedLine(found, f"has {found}, must have 2: source TAB target")
        return self._pair(columns, number)

    def _pair(self, texts: list[str], number: int) -> Example:
        source, target = reversed(texts) if self._reverse else texts
        return Example("" if self._targets_only else source, target, id=number)

    def _from_json(self, text: str, number: int) -> Example:
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise MalformedLine("invalid JSON", f"is not valid JSON ({error.msg}, column {error.colno})") from None
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets a thousand deep
            raise MalformedLine("invalid JSON", f"cannot be read as JSON ({error})") from None
        if not isinstance(record, dict):
            raise MalformedLine("not a JSON object", f"must be a JSON object, is a {type(record).__name__}")
        return self._from_record(record, number)

    def _from_record(self, record: dict[str, Any], number: int) -> Example:
        if self._record is not None:
            example = _numbered(self._record, record, number)
            assert example is not None
            return example
        references = record.get("references") or []
        if not isinstance(references, list):
            raise MalformedLine("wrong type", f"its 'references' must be a list, is a {type(references).__name__}")
        references = [_text(reference, "references") for reference in references]
        target = _text(_value(record, self._target_field), self._target_field)
        source = "" if self._targets_only else _text(_value(record, self._source_field), self._source_field)
        extras = {name: _value(record, name) for name in self._extra_fields}
        return Example(source, target, [] if self._targets_only else references, id=number, extras=extras)

    @property
    def _only_targets(self) -> bool:
        """Is each line one target?"""
        return self._targets_only and self._format == "text"

    def _checked(self, example: Example) -> Example:
        """Refuse what nothing can be learnt from, or what the task has no use for."""
        for side in ("target",) if self._targets_only else ("source", "target"):
            if not (getattr(example, side) or "").strip():
                raise MalformedLine(f"empty {side}", f"has an empty {side}")
        try:
            return example if self._adapt is None else self._adapt(example)
        except DataError as error:
            raise MalformedLine("not usable", str(error)) from None

    def _malformed(self, error: MalformedLine, number: int) -> None:
        if self._on_error == "stop":
            unit = "row" if self._format == "table" else "line"
            raise DataError(f"{self.report.name}, {unit} {number}: {error.problem}")
        self.report.skipped[error.kind] += 1
        if len(self.report.lines) < _SHOWN:
            self.report.lines.append(number)

    def _uneven(self, both: int, row: tuple[bytes | None, ...], streams: list[Iterator[bytes]]) -> None:
        """Count the rest of the longer file and refuse the pair."""
        counts = [
            both + (0 if raw is None else 1 + sum(1 for _ in stream)) for raw, stream in zip(row, streams, strict=True)
        ]
        (first, second), (m, n) = self._paths, counts
        raise DataError(f"parallel files must have as many lines: {first} has {m:,}, {second} has {n:,}")


def _numbered(read: Callable[[Any], Example | None], given: Any, number: int) -> Example | None:
    """What a task's function reads, with its number."""
    try:
        example = read(given)
    except DataError as error:
        raise MalformedLine("not usable", str(error)) from None
    if example is not None:
        example.id = number
    return example


def data_file(name: str) -> Path | None:
    """The file that a name of the configuration stands for; None where it stands for none on this machine."""
    if name.startswith(PHRASEBOOK):
        return phrasebook.path(name.removeprefix(PHRASEBOOK))
    return Path(name) if Path(name).is_file() else None


def _resolve(name: str) -> Path:
    """The file of that name, checked to be there; a data set of the hub as it is."""
    if name.startswith(HUB):
        return Path(name)
    if name.startswith(PHRASEBOOK):
        try:
            return phrasebook.path(name.removeprefix(PHRASEBOOK))
        except ValueError as error:
            raise DataError(f"{name}: {error}") from None
    path = Path(name)
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not a data file")
    return path


def _format(name: str) -> Literal["jsonl", "tsv", "text", "table"]:
    """By the name; ``phrasebook:train`` is TSV."""
    if is_table(name):
        return "table"
    name = name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return "jsonl"
    return "tsv" if name.endswith(".tsv") or name.startswith(PHRASEBOOK) else "text"


def _open(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where its first bytes say gzip, whatever its name."""
    try:
        file = path.open("rb")
        try:
            packed = file.peek(2)[:2] == _GZIP
        except OSError:
            file.close()
            raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    return gzip.open(file) if packed else file  # type: ignore[return-value]


def _lines(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """The lines of a file."""
    number = 0
    try:
        for line in raw_lines(stream):
            number += 1
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}: is damaged after line {number}: its gzip data is cut off or changed") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read after line {number}: {error.strerror}") from None


def _text_of(line: bytes, file: Path) -> str:
    """The line of one of two files as text."""
    try:
        return as_text(line)
    except MalformedLine as error:
        raise MalformedLine(error.kind, f"in {file} {error.problem}") from None


def _value(record: dict[str, Any], name: str) -> Any:
    if name not in record and isinstance(record.get(name.partition(".")[0]), dict):
        outer, _, inner = name.partition(".")
        return _value(record[outer], inner)
    if name not in record:
        there_is = ", ".join(map(repr, record)) or "none"
        raise MalformedLine(f"no field {name!r}", f"has no field {name!r} (there is: {there_is})")
    return record[name]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise MalformedLine("wrong type", f"its {name!r} must be text, is {json.dumps(value, default=str)[:40]}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        raise MalformedLine("invalid Unicode", f"its {name!r} holds half of a surrogate pair") from None
    return value
