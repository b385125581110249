"""Continuous sources: frames go through the corpus of a run as ids do, on disk and in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_kit import Component, ComponentConfig, Examples, TextTask, Transform
from seq2seq_kit.config import validate
from seq2seq_kit.data import preparation
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.data.store import read_batches
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Batch, EncodedExample, Example, SourceSpec
from seq2seq_kit.registry import registry
from seq2seq_kit.tokenizers.char import CharTokenizer, CharTokenizerConfig
from seq2seq_kit.training.corpus import load_corpus, token_batches


class Tones(TextTask):
    """A source is a number of frames, each of three numbers."""

    source_spec = SourceSpec(feature_size=3)
    width = 3

    def __init__(self) -> None:
        self.config = ComponentConfig(name="tones")
        self.target_tokenizer = CharTokenizer(CharTokenizerConfig())

    @property
    def target_section(self) -> ComponentConfig:
        return self.config

    def read(self, paths: Sequence[str], on_error: Any = "stop") -> Examples:
        return Examples(paths, on_error, adapt=self._count)

    @staticmethod
    def _count(example: Example) -> Example:
        if not example.source.isdigit():
            raise DataError(f"{example.source!r} is no number")
        return replace(example, extras={"frames": int(example.source)})

    def prepare(self, examples: Iterable[Example]) -> None:
        self.target_tokenizer.train([example.target or "" for example in examples])
        self.target_spec = self._target_spec()

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        targets = self.target_tokenizer.encode([example.target or "" for example in examples])
        frames = [
            np.random.default_rng(n).random((n, self.width), np.float32) for e in examples for n in [int(e.source)]
        ]
        return [
            EncodedExample([], [*ids, 2], e.id, frames=own)
            for e, own, ids in zip(examples, frames, targets, strict=True)
        ]

    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        return Batch(torch.zeros(len(examples), 1, 3), torch.ones(len(examples), 1, dtype=torch.bool))

    def metrics(self) -> dict[str, Any]:
        return {}

    def save(self, directory: Path) -> None:
        self.target_tokenizer.save(directory / "text.json")

    def load(self, directory: Path) -> None:
        self.target_tokenizer.load(directory / "text.json")
        self.target_spec = self._target_spec()


class Louder(Transform):
    def __init__(self, config: ComponentConfig, task: Tones) -> None:
        pass

    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> EncodedExample:
        assert encoded.frames is not None
        return replace(encoded, frames=encoded.frames + np.float32(generator.integers(1, 100)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "tones.tsv"
    path.write_text("5\tab\n2\tabc\n9\ta\n0\tb\n7\tba\n", encoding="utf-8")
    return path


def configure(data: Path, **section: Any) -> DataConfig:
    return validate(DataConfig, {"train": [str(data)], "dev": [str(data)], **section}, "test")


def same(found: Iterable[EncodedExample], expected: Iterable[EncodedExample]) -> bool:
    pairs = list(zip(found, expected, strict=True))
    return all(a == b and np.array_equal(a.frames, b.frames) for a, b in pairs)  # type: ignore[arg-type]


@pytest.mark.parametrize("on_disk", [True, False])
def test_frames_are_kept_as_they_are_encoded(
    data: Path, tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "FRAME_ROWS", 2)  # several record batches
    task, folder = Tones(), tmp_path / "cache" if on_disk else None
    corpus = load_corpus(configure(data), task, prepare=True, folder=folder)
    expected = task.encode(list(task.read([str(data)])))
    assert same(corpus.train, expected) and same(corpus.dev, expected)
    assert same(corpus.train.take([4, 0, 4], 0), [expected[i] for i in (4, 0, 4)])
    assert corpus.train.lengths[:, 0].tolist() == [5, 2, 9, 0, 7]
    assert all(example.frames.dtype == np.float32 for example in corpus.train)
    if folder is not None:
        again = load_corpus(configure(data), task, prepare=False, folder=folder)
        assert again.digest() == corpus.digest() and same(again.train, expected)
        [file] = folder.rglob("ids.arrow")
        assert str(read_batches(file, preparation.ids_schema(task.source_spec))[0].schema.field("source").type) == (
            "list<item: fixed_size_list<item: float>[3]>"
        )


def test_other_frames_have_another_fingerprint(data: Path) -> None:
    task = Tones()
    first = load_corpus(configure(data), task, prepare=True).digest()
    data.write_text(data.read_text().replace("9\ta", "8\ta"), encoding="utf-8")
    assert load_corpus(configure(data), task, prepare=True).digest() != first
    streamed = [load_corpus(configure(data, streaming=True), task, prepare=True).digest() for _ in range(2)]
    assert streamed[0] == streamed[1]


def test_batches_and_the_length_limit_count_frames(data: Path) -> None:
    corpus = load_corpus(configure(data, max_length=7), Tones(), prepare=True)
    assert corpus.train.lengths[:, 0].tolist() == [5, 2, 0, 7]
    batches = [corpus.train.lengths[batch, 0].tolist() for batch in token_batches(corpus.train, 10, seed=1).batches(0)]
    assert sorted(batches) == [[0, 2], [5], [7]]


@pytest.mark.parametrize("streaming", [True, False])
def test_a_transform_may_change_frames(data: Path, streaming: bool) -> None:
    provided = registry()._provided.copy()
    try:
        registry().register(Component("transform", "louder", Louder))
        section = {"transforms": ["louder"], "streaming": streaming}
        corpus = load_corpus(configure(data, **section), Tones(), prepare=True)
    finally:
        registry()._provided[:] = provided
    if streaming:
        [batch] = corpus.train.blocks()
    else:
        batch = [0, 1, 2]
    first, same_again, other = (corpus.train.take(batch[:1], epoch)[0].frames for epoch in (0, 0, 1))
    if not streaming:  # a stream's block is used once
        assert np.array_equal(first, same_again) and not np.array_equal(first, other)
        assert corpus.train[0].frames.max() < 1
    assert first.min() >= 1


def test_a_task_that_encodes_other_frames_is_told_so(data: Path) -> None:
    task = Tones()
    task.width = 4
    with pytest.raises(DataError, match=r"example 1: the task must encode it as frames \[S, 3\], but .* \[5, 4\]"):
        load_corpus(configure(data), task, prepare=True)


def test_what_a_task_has_no_use_for_is_a_malformed_line(data: Path) -> None:
    data.write_text("5\tab\nmany\tabc\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"tones.tsv, line 2: 'many' is no number"):
        list(Tones().read([str(data)]))
    examples = Tones().read([str(data)], "skip")
    assert [example.extras for example in examples] == [{"frames": 5}]
    assert examples.report.skipped == {"not usable": 1}
