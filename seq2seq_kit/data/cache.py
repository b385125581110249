"""Encoded training data on disk, found again by what it was made from.

``FOLDER/KEY/`` holds ``ids.arrow``, ``text.arrow`` (where transforms need it), and ``corpus.json``, written last. The
key is a digest of the configuration and the tokenizers; ``corpus.json`` knows the data files by size, time and content.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_kit.data.config import DataConfig, Source
from seq2seq_kit.data.readers import data_file
from seq2seq_kit.data.report import Report
from seq2seq_kit.data.store import TEXT, EncodedStore, TextStore, ids_schema, read_batches
from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.interfaces import Task
from seq2seq_kit.sealed import digest, read_json, write_json

FORMAT = 1
"""The version of the layout."""

_PART = 2**20


@dataclass
class Cached:
    """Encoded training data."""

    ids: EncodedStore
    texts: TextStore | None  # the same examples; only where transforms need them
    counts: list[int]  # examples of each corpus, in their order
    report: Report
    digest: str  # of the ids
    made_in: Path | None = None  # the folder in which it was encoded just now


class Cache:
    """Where the training data of a configuration and a prepared task is kept.

    Attributes:
        place: the folder of this data.
    """

    def __init__(self, folder: Path, config: DataConfig, task: Task, seed: int) -> None:
        made_from = {
            "format": FORMAT,
            "task": task.config.model_dump(mode="json"),
            "tokenizers": _saved_files(task),
            "train": [source.paths for source in config.train],
            "on_error": config.on_error,
            "max_length": config.max_length,
            "filters": [section.model_dump(mode="json") for section in config.filters],
            "texts": bool(config.transforms),
        }
        if config.filters:  # which may draw
            made_from["seed"] = seed
        key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
        self.place = folder / key
        self._schema = ids_schema(task.source_spec)
        self._texts = bool(config.transforms)

    def find(self) -> Cached | None:
        """The data, if it is there.

        Raises:
            DataError: a data file is not what the data was made from, or the data on disk cannot be read.
        """
        facts_file = self.place / "corpus.json"
        if not facts_file.exists():
            return None
        facts = read_json(facts_file)
        for file in facts["files"]:
            if not Path(file["path"]).exists():
                raise DataError(f"{file['path']}: there is no such file")
            if not _is_same(file):
                raise DataError(
                    f"{file['path']}: is not the data that was encoded in {self.place}: it has changed since; a run "
                    "cannot be resumed with it"
                )
        ids = EncodedStore(read_batches(self.place / "ids.arrow", self._schema))
        texts = TextStore(read_batches(self.place / "text.arrow", TEXT)) if self._texts else None
        for store in (ids, texts):
            if store is not None and len(store) != sum(facts["counts"]):
                raise DataError(f"{self.place}: is incomplete; delete it, and it is made again from the data")
        return Cached(ids, texts, facts["counts"], Report.from_dict(facts["report"]), facts["digest"])

    def is_current(self) -> bool:
        """Is there data that was made from the files as they are now?"""
        try:
            return self.find() is not None
        except UserError:
            return False

    def write_facts(self, files: list[dict[str, Any]], counts: list[int], report: Report, digest: str) -> None:
        """Complete what is in ``place``, which was made from ``files`` (see :func:`files_now`)."""
        facts = {"files": files, "counts": counts, "report": report.as_dict(), "digest": digest}
        write_json(self.place / "corpus.json", facts)


def _saved_files(task: Task) -> dict[str, str]:
    """The digest of each file that the task saves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task.save(folder)
        return {str(p.relative_to(folder)): digest(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def data_files(sources: Iterable[Source]) -> list[Path]:
    """The files on this machine that corpora are read from, sorted by name."""
    names = sorted({name for source in sources for name in source.paths})
    return [path for path in map(data_file, names) if path is not None]


def files_now(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """The data files as they are now, to be known again."""
    files = []
    for path in data_files(sources):
        stat = path.stat()
        files.append({"path": str(path), "size": stat.st_size, "time": stat.st_mtime_ns, "content": _content(path)})
    return files


def _is_same(file: dict[str, Any]) -> bool:
    """Untouched since, or touched and of the same content."""
    path = Path(file["path"])
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns) == (file["size"], file["time"]) or _content(path) == file["content"]


def _content(path: Path) -> str:
    """The SHA-256 of a file of any size."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_PART):
            sha256.update(part)
    return sha256.hexdigest()
