"""From data files to a training set: read once, filtered, the tokenizers learnt, encoded, all of it as a stream.

The texts are read into a temporary Arrow file, which the tokenizers learn from and the encoder reads. What grows with
the corpus is on disk: a few thousand examples are in memory at a time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice, pairwise
from pathlib import Path

from seq2seq_kit.console import stderr
from seq2seq_kit.data.cache import Cache, Cached, files_now
from seq2seq_kit.data.config import DataConfig, Source
from seq2seq_kit.data.meter import Meter
from seq2seq_kit.data.mixing import Mixture, shares
from seq2seq_kit.data.report import Report
from seq2seq_kit.data.sieve import Sieve
from seq2seq_kit.data.store import FRAME_ROWS, ROWS, TEXT, EncodedStore, TextStore, Writer, ids_schema
from seq2seq_kit.data.streaming import LEARNT_FROM, StreamedSet, Texts
from seq2seq_kit.data.training_set import Noise, TrainingSet
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example, Task
from seq2seq_kit.registry import build

log = logging.getLogger(__name__)


def training_set(
    config: DataConfig, task: Task, *, prepare: bool, seed: int, folder: Path | None
) -> tuple[TrainingSet | StreamedSet, Report]:
    """The training data that a configuration names, and what became of its examples.

    Args:
        prepare: first let the task learn its tokenizers from the data.
        folder: where to keep the encoded data if ``data.cache`` does not say; None: in memory.

    Raises:
        DataError: a file is missing, malformed, empty or changed, or no example of a corpus is left.
    """
    transforms = [build("transform", section, task) for section in config.transforms]  # mistakes first
    if config.streaming:
        for path in (Path(name) for source in config.train for name in source.paths):
            if path.is_fifo():
                raise DataError(f"{path}: is a pipe, which can be read once; data.streaming reads data in every epoch")
        if prepare:
            task.prepare(Texts(config, task, LEARNT_FROM))
        noise = Noise(transforms, task, seed, config.max_length) if transforms else None
        return StreamedSet(config, task, seed, noise), Report()
    folder = Path(config.cache) if config.cache is not None else folder
    found = None if prepare or folder is None else Cache(folder, config, task, seed).find()
    if found is None:
        found = _made(config, task, prepare, seed, folder)
    mixture = noise = None
    if len(config.train) > 1 and (config.temperature is not None or config.train[0].weight is not None):
        weights = [source.weight or 0.0 for source in config.train] if config.train[0].weight is not None else None
        mixture = Mixture(found.counts, shares(found.counts, weights, config.temperature or 1.0), seed)
    if found.texts is not None:
        noise = Noise(transforms, task, seed, config.max_length)
    return TrainingSet(found.ids, found.digest, mixture, found.texts, noise, found.made_in), found.report


def _made(config: DataConfig, task: Task, prepare: bool, seed: int, folder: Path | None) -> Cached:
    """The data, made from the files (or found, where another run with the same tokenizers has left it)."""
    readers = [task.read(source.paths, config.on_error) for source in config.train]  # missing files first
    sieve = Sieve(config, task, seed)
    temporary = None if folder is None else folder / f"text.{os.getpid()}.tmp"
    try:
        files = [] if folder is None else files_now(config.train)  # before they are read: they may change meanwhile
        texts = _read(config, readers, sieve, temporary)
        if prepare:
            task.prepare(_Shown(texts, "learning tokenizers"))
        cache = None if folder is None else Cache(folder, config, task, seed)
        if cache is not None and cache.is_current():
            found = cache.find()
            assert found is not None
            return found
        made = _encode(config, task, texts, sieve, cache)
        if cache is not None:
            cache.write_facts(files, made.counts, made.report, made.digest)
            made.made_in = cache.place
        _tell(config, made.report, task)
        return made
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _read(config: DataConfig, readers: Iterable[Iterator[Example]], sieve: Sieve, path: Path | None) -> list[TextStore]:
    """The texts of each corpus that the filters leave."""
    with Writer(TEXT, path) as writer, Meter("reading") as meter:
        ends = [0]
        for source, reader in zip(config.train, readers, strict=True):
            while chunk := list(islice(reader, ROWS)):
                writer.write([kept for example in chunk if (kept := sieve.text(example)) is not None])
                meter.advance(len(chunk))
            if writer.count == ends[-1]:
                raise DataError(_nothing_left(source, config, sieve.report))
            ends.append(writer.count)
    return [TextStore(writer.batches[start:end]) for start, end in pairwise(ends)]


class _Shown(Iterable[Example]):
    """The examples of all corpora, as often as they are iterated over, with their number shown."""

    def __init__(self, texts: list[TextStore], what: str) -> None:
        self._texts = texts
        self._what = what

    def __iter__(self) -> Iterator[Example]:
        with Meter(self._what) as meter:
            for store in self._texts:
                for chunk in store.chunks():
                    yield from chunk
                    meter.advance(len(chunk))


def _encode(config: DataConfig, task: Task, texts: list[TextStore], sieve: Sieve, cache: Cache | None) -> Cached:
    """The ids of the examples that the filters leave, and their texts where transforms need them."""
    counts = []
    continuous = task.source_spec is not None and task.source_spec.feature_size is not None
    ids = Writer(ids_schema(task.source_spec), None if cache is None else cache.place / "ids.arrow")
    kept_texts = Writer(TEXT, None if cache is None else cache.place / "text.arrow") if config.transforms else None
    with ExitStack() as stack:
        stack.enter_context(ids)
        if kept_texts is not None:
            stack.enter_context(kept_texts)
        meter = stack.enter_context(Meter("encoding"))
        for source, store in zip(config.train, texts, strict=True):
            count = 0
            for chunk in store.chunks(FRAME_ROWS if continuous else ROWS):
                pairs = zip(task.encode(chunk), chunk, strict=True)
                kept = [(e, text) for encoded, text in pairs if (e := sieve.ids(encoded, text)) is not None]
                ids.write([encoded for encoded, _ in kept])
                if kept_texts is not None:
                    kept_texts.write([text for _, text in kept])
                count += len(kept)
                meter.advance(len(chunk))
            if count == 0:
                raise DataError(_nothing_left(source, config, sieve.report))
            counts.append(count)
    encoded = EncodedStore(ids.batches)
    stored = None if kept_texts is None else TextStore(kept_texts.batches)
    return Cached(encoded, stored, counts, sieve.report, encoded.digest())


def _tell(config: DataConfig, report: Report, task: Task) -> None:
    """Say what was left out, if anything was, and what the task has to say."""
    for notice in task.notices():
        log.warning("training data: %s", notice)
    if config.filters and report.left_out:
        stderr().print(report.table())
    elif report.left_out:
        count, limit = f"{report.left_out:,}", config.max_length
        log.warning("left out %s training examples with more than %d tokens (data.max_length)", count, limit)


def _nothing_left(source: Source, config: DataConfig, report: Report) -> str:
    taken = ", ".join(f"{row.name} took {row.count:,}" for row in report.rows if row.count)
    where = " so far (of all corpora)" if len(config.train) > 1 else ""
    return f"{source}: none of the training examples is left; of {report.read:,} read{where}, {taken}"
