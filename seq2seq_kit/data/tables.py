"""Rows with named fields from Parquet files and from data sets of the Hugging Face hub.

``hf:NAME``, ``hf:NAME:SPLIT`` or ``hf:NAME:CONFIG:SPLIT``, with ``@REVISION`` after the name where one is wanted, is
what ``datasets.load_dataset`` finds under that name: on the hub, in its cache, or in a folder. A split may be a slice
(``train[:10000]``); the default is ``train``. No code of a data set is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq_kit.errors import DataError, UserError

HUB = "hf:"
ROWS = 1024
"""Rows read at a time."""

_HUB_NAME = re.compile(
    r"hf:(?P<name>[^:@]+)(@(?P<revision>[^:]+))?(:(?P<config>[^:\[]+)(?=:))?(:(?P<split>[^:\[]+(\[.*\])?))?"
)


def is_table(name: str) -> bool:
    """Is it a Parquet file or a data set of the hub, by its name?"""
    return name.startswith(HUB) or name.endswith(".parquet")


def rows(name: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a table, each a mapping of its fields.

    Args:
        fields: what is wanted, ``a.b`` for the field ``b`` of the field ``a``; others may be left out.

    Raises:
        DataError: the table is missing or damaged. A data set is found at once, a Parquet file when it is read.
    """
    return _hub(name) if name.startswith(HUB) else _parquet(name, fields)


def _parquet(path: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise UserError(f"{path}: reading Parquet needs pyarrow: pip install 'seq2seq_kit[train]'") from None
    try:
        with ParquetFile(path) as file:
            wanted = {field if field in file.schema_arrow.names else field.split(".")[0] for field in fields}
            columns = sorted(wanted) if wanted <= set(file.schema_arrow.names) else None
            for batch in file.iter_batches(ROWS, columns=columns):
                yield from batch.to_pylist()
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None


def _hub(name: str) -> Iterator[dict[str, Any]]:
    found = _HUB_NAME.fullmatch(name)
    if found is None:
        raise DataError(f"{name}: write hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT, and NAME@REVISION if need be")
    try:
        from datasets import load_dataset
    except ImportError:
        raise UserError(f"{name}: needs the package datasets: pip install 'seq2seq_kit[train]'") from None
    try:
        table = load_dataset(
            found["name"], found["config"], split=found["split"] or "train", revision=found["revision"]
        )
    except Exception as error:  # whatever the library, the network and the files come up with
        reason = str(error).strip().splitlines()
        raise DataError(f"{name}: cannot be loaded: {reason[0] if reason else type(error).__name__}") from None
    return iter(table)
