"""Examples in Arrow files, memory-mapped: a corpus of any size takes a few bytes of memory an example.

The files are Arrow streams, which ``datasets.Dataset.from_file`` opens too. An example's ``id`` and ``extras`` are
JSON in them.
"""

from __future__ import annotations

import hashlib
import json
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.interfaces import EncodedExample, Example, SourceSpec
from seq2seq_kit.sealed import explain_write_errors

try:
    import pyarrow as pa
except ImportError:
    raise UserError("training data is kept in Arrow files: pip install 'seq2seq_kit[train]'") from None

ROWS = 4096
"""Examples in a record batch: as many are encoded, and in memory, at a time."""
FRAME_ROWS = 256
"""The same where sources are frames: some 100 MB of 15 seconds of speech each."""

Indices = Sequence[int] | NDArray[np.integer]

_BESIDE = [("id", pa.string()), ("extras", pa.string())]
TEXT = pa.schema([("source", pa.string()), ("target", pa.string()), *_BESIDE])
"""Columns of a file of texts."""
IDS = pa.schema([("source", pa.list_(pa.int32())), ("target", pa.list_(pa.int32())), *_BESIDE])
"""Columns of a file of encoded examples."""


def ids_schema(source: SourceSpec | None) -> pa.Schema:
    """:data:`IDS`; where sources are continuous, with frames in the column ``source``."""
    if source is None or source.feature_size is None:
        return IDS
    return IDS.set(0, pa.field("source", pa.list_(pa.list_(pa.float32(), source.feature_size))))


class Writer:
    """Writes examples, a record batch at a call, to a file or (``path`` None) to memory.

    A context: the file has its name only once all is written.

    Attributes:
        count: how many record batches are written.
        batches: the record batches, mapped; once all is written.
    """

    def __init__(self, schema: pa.Schema, path: Path | None) -> None:
        self._schema = schema
        self._path = path
        self.count = 0
        self.batches: list[pa.RecordBatch] = []

    def __enter__(self) -> Writer:
        if self._path is None:
            self._sink: Any = pa.BufferOutputStream()
        else:
            self._temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
            with explain_write_errors(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._sink = pa.OSFile(str(self._temporary), "wb")
        self._stream = pa.ipc.new_stream(self._sink, self._schema)
        return self

    def write(self, examples: Sequence[Example] | Sequence[EncodedExample]) -> None:
        """Append a record batch; none for no example."""
        if not examples:
            return
        self.count += 1
        columns = {
            "source": self._sources(examples),
            "target": [example.target for example in examples],
            "id": [_json(example.id) for example in examples],
            "extras": [_json(example.extras) if example.extras else None for example in examples],
        }
        with explain_write_errors(self._path or Path("memory")):
            self._stream.write_batch(pa.RecordBatch.from_pydict(columns, self._schema))

    def _sources(self, examples: Sequence[Example] | Sequence[EncodedExample]) -> Any:
        """The column ``source``."""
        column = self._schema.field("source").type
        if not (pa.types.is_list(column) and pa.types.is_fixed_size_list(column.value_type)):
            return [example.source for example in examples]
        frames = [_frames(example, column.value_type.list_size) for example in examples]
        offsets = np.cumsum([0, *map(len, frames)], dtype=np.int32)
        values = pa.FixedSizeListArray.from_arrays(np.concatenate(frames).ravel(), type=column.value_type)
        return pa.ListArray.from_arrays(offsets, values, type=column)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._path is None:
            self._stream.close()
            self.batches = list(pa.ipc.open_stream(self._sink.getvalue()))
            return
        try:
            with explain_write_errors(self._path):
                if error is None:
                    self._stream.close()
                self._sink.close()
                if error is None:
                    os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)
        if error is None:
            self.batches = read_batches(self._path, self._schema)


def _frames(example: Any, size: int) -> NDArray[np.float32]:
    frames = getattr(example, "frames", None)
    if frames is None or frames.ndim != 2 or frames.shape[1] != size:
        found = "none" if frames is None else f"an array {list(frames.shape)}"
        raise DataError(f"example {example.id}: the task must encode it as frames [S, {size}], but there is {found}")
    return np.asarray(frames, dtype=np.float32)


def _json(value: Any) -> str:
    if type(value) is int:  # nearly all: line numbers
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"the id and the extras of a training example must be JSON values: {error}") from None


def _from_json(text: str) -> Any:
    return int(text) if text.isdecimal() else json.loads(text)


def read_batches(path: Path, schema: pa.Schema) -> list[pa.RecordBatch]:
    """The record batches of a file, memory-mapped; raises :class:`DataError` where it cannot be read."""
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            if stream.schema != schema:
                raise pa.ArrowInvalid(f"its columns are {', '.join(stream.schema.names)}")
            return list(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete it, and it is made again from the data") from None


T = TypeVar("T", Example, EncodedExample)


class Store(Sequence[T], Generic[T]):
    """Examples in record batches, by index. Iterating reads them in order, as often as asked."""

    def __init__(self, batches: Sequence[pa.RecordBatch]) -> None:
        self._batches = batches
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
        self._names = [batch.column("id") for batch in batches]
        extras = [batch.column("extras") for batch in batches]
        self._extras = [column if column.null_count < len(column) else None for column in extras]

    @abstractmethod
    def _example(self, batch: int, row: int) -> T:
        """The example in that row of that batch."""

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __iter__(self) -> Iterator[T]:
        for batch, rows in enumerate(self._batches):
            for row in range(rows.num_rows):
                yield self._example(batch, row)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no example {index}: there are {len(self):,}")
        return self.take([index % len(self)])[0]

    def take(self, indices: Indices) -> list[T]:
        """The examples of these indexes, in their order."""
        places = np.asarray(indices, dtype=np.int64)
        batches = np.searchsorted(self._starts, places, side="right") - 1
        rows = places - self._starts[batches]
        return [self._example(batch, row) for batch, row in zip(batches.tolist(), rows.tolist(), strict=True)]

    def _beside(self, batch: int, row: int) -> tuple[Any, dict[str, Any]]:
        """The id and the extras."""
        column = self._extras[batch]
        extras = None if column is None else column[row].as_py()
        return _from_json(self._names[batch][row].as_py()), {} if extras is None else json.loads(extras)


class TextStore(Store[Example]):
    """Examples as text."""

    def _example(self, batch: int, row: int) -> Example:
        columns = self._batches[batch]
        source, target = (columns.column(side)[row].as_py() for side in ("source", "target"))
        identity, extras = self._beside(batch, row)
        return Example(source, target, id=identity, extras=extras)

    def chunks(self, rows: int = ROWS) -> Iterator[list[Example]]:
        """The examples of each record batch, in order, at most ``rows`` at a time; much faster than one by one."""
        for batch in chain.from_iterable(_parts(batch, rows) for batch in self._batches):
            columns = batch.to_pydict()
            extras = [{} if value is None else json.loads(value) for value in columns["extras"]]
            given = zip(columns["source"], columns["target"], columns["id"], extras, strict=True)
            yield [Example(source, target, id=_from_json(name), extras=more) for source, target, name, more in given]


def _parts(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    return (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))


class EncodedStore(Store[EncodedExample]):
    """Examples as ids, or as frames and ids.

    Attributes:
        lengths: [N, 2] int32, source tokens (or frames) and target tokens of each example.
    """

    def __init__(self, batches: Sequence[pa.RecordBatch]) -> None:
        super().__init__(batches)
        self._sides = [[_column(batch.column(side)) for side in ("source", "target")] for batch in batches]
        self.lengths: NDArray[np.int32] = np.empty((len(self), 2), np.int32)
        for sides, start, end in zip(self._sides, self._starts, self._starts[1:], strict=False):
            for side, ids in enumerate(sides):
                self.lengths[start:end, side] = np.diff(ids.offsets)

    def _example(self, batch: int, row: int) -> EncodedExample:
        source, target = (side[row] for side in self._sides[batch])
        identity, extras = self._beside(batch, row)
        if isinstance(source, np.ndarray):
            return EncodedExample([], target, identity, extras, source)
        return EncodedExample(source or [], target, identity, extras)

    def digest(self) -> str:
        """A fingerprint of the ids: the same files, filters and tokenizers give the same one."""
        sha256 = hashlib.sha256()
        for sides in self._sides:
            for ids in sides:
                sha256.update(np.diff(ids.offsets).tobytes())
                sha256.update(ids.values.tobytes())
        return sha256.hexdigest()


def _column(column: pa.ListArray) -> Any:
    return _Frames(column) if pa.types.is_fixed_size_list(column.type.value_type) else _Ids(column)


class _Frames:
    """The sources of a record batch, as :class:`_Ids`."""

    def __init__(self, column: pa.ListArray) -> None:
        self.offsets: NDArray[np.int32] = column.offsets.to_numpy()
        size = column.type.value_type.list_size
        self.values: NDArray[np.float32] = column.values.values.to_numpy().reshape(-1, size)

    def __getitem__(self, row: int) -> NDArray[np.float32]:
        return self.values[self.offsets[row] : self.offsets[row + 1]].copy()  # the file is read-only


class _Ids:
    """One side of a record batch, without a copy: the ids of row r are ``values[offsets[r]:offsets[r + 1]]``."""

    def __init__(self, column: pa.ListArray) -> None:
        self.offsets: NDArray[np.int32] = column.offsets.to_numpy()
        self.values: NDArray[np.int32] = column.values.to_numpy()
        self._absent = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None

    def __getitem__(self, row: int) -> list[int] | None:
        if self._absent is not None and self._absent[row]:
            return None
        ids: list[int] = self.values[self.offsets[row] : self.offsets[row + 1]].tolist()
        return ids
