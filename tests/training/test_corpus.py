"""The corpus of a run: encoded once and found again, changed files noticed, filters counted, noise repeatable."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from seq2seq_kit.config import validate
from seq2seq_kit.console import stderr
from seq2seq_kit.data import preparation
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.errors import CheckpointError, ConfigError, DataError, UserError
from seq2seq_kit.interfaces import EncodedExample
from seq2seq_kit.run_config import make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.corpus import Corpus, load_corpus, token_batches
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer


def new_task(**section: Any) -> Translation:
    return Translation(validate(TranslationConfig, {"source_tokenizer": "word", **section}, "test"))


def configure(train: Any, dev: Path, **section: Any) -> DataConfig:
    return validate(DataConfig, {"train": train, "dev": [str(dev)], **section}, "test")


def write(path: Path, pairs: list[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path, number_pairs: list[tuple[str, str]]) -> Path:
    return write(tmp_path / "a.tsv", number_pairs)


def load(config: DataConfig, task: Translation | None = None, **more: Any) -> Corpus:
    return load_corpus(config, task or new_task(), **{"prepare": task is None, **more})


def test_it_holds_what_the_task_encodes(data: Path, number_pairs: list[tuple[str, str]], tmp_path: Path) -> None:
    task = new_task()
    corpus = load_corpus(configure([str(data)], data), task, prepare=True, folder=tmp_path / "cache")
    expected = task.encode(list(task.read([str(data)])))
    assert list(corpus.train) == corpus.dev == expected and len(corpus.train) == len(number_pairs)
    assert corpus.train.take([5, 3, 5], epoch=0) == [expected[5], expected[3], expected[5]]
    assert corpus.train[-1] == expected[-1]
    assert corpus.train.lengths.tolist() == [[len(e.source), len(e.target or [])] for e in expected]


def test_many_record_batches_are_one_corpus(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load(configure([str(data)], data))
    monkeypatch.setattr(preparation, "ROWS", 7)
    for folder in (None, tmp_path / "cache"):
        cut = load(configure([str(data)], data), folder=folder)
        assert list(cut.train) == list(whole.train)
        order = np.random.default_rng(0).permutation(len(cut.train))
        assert cut.train.take(order, 0) == whole.train.take(order, 0)


def test_other_libraries_open_the_file(data: Path, tmp_path: Path) -> None:
    corpus = load(configure([str(data)], data), folder=tmp_path)
    [file] = tmp_path.glob("*/ids.arrow")
    with pa.memory_map(str(file)) as mapped:
        table = pa.ipc.open_stream(mapped).read_all()
    assert table.column("source").to_pylist() == [example.source for example in corpus.train]


def test_a_resume_reads_no_text(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, task = configure([str(data)], data), new_task()
    first = load_corpus(config, task, prepare=True, folder=tmp_path / "cache")
    monkeypatch.setattr(preparation, "_read", lambda *_: pytest.fail("read the text again"))
    again = load(config, task, folder=tmp_path / "cache")
    assert list(again.train) == list(first.train) and again.digest() == first.digest()


def test_runs_with_the_same_tokenizers_share_a_cache(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure([str(data)], data, cache=str(tmp_path / "shared"))
    load(config, folder=tmp_path / "not used")
    assert not (tmp_path / "not used").exists()
    encode = preparation._encode
    monkeypatch.setattr(preparation, "_encode", lambda *_: pytest.fail("encoded again"))
    load(config)
    monkeypatch.setattr(preparation, "_encode", encode)
    for other in (new_task(reverse=True), new_task(source_tokenizer="char")):
        load_corpus(config, other, prepare=True)  # another direction, other tokenizers: another corpus
    load(configure([str(data)], data, cache=str(tmp_path / "shared"), max_length=3))
    assert len(list((tmp_path / "shared").iterdir())) == 4


def test_a_changed_file_is_named_and_a_touched_one_is_not(data: Path, tmp_path: Path) -> None:
    config, task = configure([str(data)], data), new_task()
    load_corpus(config, task, prepare=True, folder=tmp_path / "cache")
    os.utime(data, ns=(1, 1))
    load(config, task, folder=tmp_path / "cache")
    data.write_text(data.read_text().replace("one", "two", 1))
    with pytest.raises(DataError, match=r"a\.tsv: is not the data that was encoded.* has changed"):
        load(config, task, folder=tmp_path / "cache")
    data.rename(tmp_path / "moved.tsv")
    with pytest.raises(DataError, match=r"a\.tsv: there is no such file"):
        load(configure([str(data)], tmp_path / "moved.tsv"), task, folder=tmp_path / "cache")
    (tmp_path / "moved.tsv").rename(data)
    fresh = load_corpus(config, new_task(), prepare=True, folder=tmp_path / "cache")  # a new run takes it as it is
    assert fresh.dev[0] == fresh.train[0]


def test_a_lost_cache_is_made_again_and_a_damaged_one_is_named(data: Path, tmp_path: Path) -> None:
    config, task, cache = configure([str(data)], data), new_task(), tmp_path / "cache"
    first = load_corpus(config, task, prepare=True, folder=cache)
    shutil.rmtree(cache)
    assert load(config, task, folder=cache).digest() == first.digest()
    [file] = cache.glob("*/ids.arrow")
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(DataError, match="delete it, and it is made again from the data"):
        load(config, task, folder=cache)


def test_filters_are_counted_with_an_example_each(data: Path, tmp_path: Path) -> None:
    pairs = [("a b", "c d"), ("a b", "c d"), ("same thing", "Same thing"), ("a", "b c d e f"), ("x y z", "u v w")]
    train = write(tmp_path / "b.tsv", pairs)
    filters = ["duplicates", "copies", {"name": "ratio", "max": 3, "unit": "tokens"}]
    with stderr().capture() as shown:
        corpus = load(configure([str(train)], data, filters=filters, max_length=3))
    report = corpus.report
    assert [(row.name, row.count) for row in report.rows] == [
        ("duplicates", 1),
        ("copies", 1),
        ("ratio", 0),  # 2 to 6 tokens with EOS
        ("data.max_length (3)", 2),
    ]
    assert report.rows[0].example == "2: a b → c d" and len(corpus.train) == 1
    assert "5 training examples read, 1 kept" in shown.get() and "2: a b → c d" in shown.get()


def test_without_filters_what_is_too_long_is_a_sentence(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load(configure([str(data)], data, max_length=3))
    assert "training examples with more than 3 tokens (data.max_length)" in caplog.text


def test_nothing_left_is_said_with_the_reason(data: Path, tmp_path: Path) -> None:
    copies = write(tmp_path / "b.tsv", [("a", "a"), ("b", "b")])
    config = configure([str(copies)], data, filters=["copies"])
    with pytest.raises(DataError, match=r"b\.tsv: none of the training examples is left; of 2 read, copies took 2"):
        load(config, folder=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.arrow")) and not list((tmp_path / "cache").rglob("*.tmp"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["ids.arrow", "text"])
def test_a_full_disk_is_a_sentence(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """``/dev/full`` answers every write with ENOSPC, as a full disk does."""
    file = pa.OSFile

    def full(path: str, mode: str) -> pa.OSFile:
        return file("/dev/full" if Path(path).name.startswith(name) else path, mode)

    monkeypatch.setattr(pa, "OSFile", full)
    with pytest.raises(CheckpointError, match=f"{name}.*: cannot be written: .*[Nn]o space left"):
        load(configure([str(data)], data), folder=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.tsv.gz", gzip.compress(b"a\tb\n" * 10000)[:-9], r"b\.tsv\.gz: is damaged after line"),
        ("b.parquet", b"PAR1 no", r"b\.parquet: cannot be read as Parquet"),
    ],
    ids=["gzip", "parquet"],
)
def test_unreadable_files_leave_nothing_behind(
    data: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(configure([str(tmp_path / name)], data), folder=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_malformed_line_leaves_a_cache_of_others_alone(data: Path, tmp_path: Path) -> None:
    shared = str(tmp_path / "shared")
    load(configure([str(data)], data, cache=shared))
    (tmp_path / "b.tsv").write_text("no tab\n")
    with pytest.raises(DataError, match=r"b\.tsv, line 1"):
        load(configure([str(tmp_path / "b.tsv")], data, cache=shared))
    assert len(list(Path(shared).rglob("*.arrow"))) == 1


def test_several_corpora_one_after_the_other(data: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "b.tsv", [("eleven", "onze")] * 5)
    train = [{"paths": [str(data)]}, {"paths": [str(more)]}]
    corpus = load(configure(train, data))
    assert corpus.train.mixture is None and len(corpus.train) == len(corpus.dev) + 5


def test_several_corpora_by_weight_and_by_temperature(data: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "b.tsv", [("eleven", "onze")] * 5)
    size = len(data.read_text().splitlines())

    def small_share(corpus: Corpus) -> float:
        batches = token_batches(corpus.train, 50, seed=1).batches(0)
        drawn = Counter(int(i) >= size for batch in batches for i in batch)
        assert drawn.total() == size + 5
        return drawn[True] / drawn.total()

    weighted = [{"paths": [str(data)], "weight": 1}, {"paths": [str(more)], "weight": 3}]
    assert small_share(load(configure(weighted, data))) == pytest.approx(0.75, abs=0.01)
    plain = [{"paths": [str(data)]}, {"paths": [str(more)]}]
    shares = [small_share(load(configure(plain, data, temperature=t))) for t in (1, 5, 1000)]
    assert shares == pytest.approx([5 / (size + 5), 5**0.2 / (5**0.2 + size**0.2), 0.5], abs=0.01)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"train": [{"paths": ["a"], "weight": 1}, {"paths": ["b"]}]}, "give every corpus of train a weight, or none"),
        ({"train": [{"paths": ["a"], "weight": 1}], "temperature": 2.0}, "leave temperature out"),
        ({"train": ["a"], "temperature": 2.0}, "train has one: leave it out"),
        ({"train": ["a"], "streaming": True, "cache": "c"}, "streaming keeps nothing"),
        ({"train": []}, "train"),
        ({"train": [{"paths": ["a"], "wieght": 1}]}, "did you mean 'weight'"),
        ({"train": ["a", "b", "c"]}, "at most 2"),
    ],
)
def test_mixing_that_makes_no_sense_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(DataConfig, {"dev": ["d"], **section}, "test")


def noisy(data: Path, tmp_path: Path, **more: Any) -> tuple[Corpus, Translation]:
    task = new_task(source_tokenizer={"name": "bpe", "vocab_size": 60})
    transforms = ["word_swap", {"name": "bpe_dropout", "rate": 0.3}, {"name": "token_mask", "rate": 0.2}]
    config = configure([str(data)], data, transforms=transforms, filters=["duplicates"], **more)
    return load_corpus(config, task, prepare=True, seed=4, folder=tmp_path / "cache"), task


def test_noise_is_a_function_of_seed_epoch_and_index(data: Path, tmp_path: Path) -> None:
    corpus, task = noisy(data, tmp_path)
    everything = range(len(corpus.train))
    first, second = (corpus.train.take(everything, epoch) for epoch in (0, 1))
    assert first != second
    config = configure([str(data)], data, filters=["duplicates"], transforms=["word_swap"])
    assert load(config, task, folder=tmp_path / "other", seed=4).digest() == corpus.digest()
    # A resumed run, and one of several processes: other indexes together, the same examples.
    again, _ = noisy(data, tmp_path)
    some = [9, 4, 60]
    assert again.train.take(some, 1) == [second[i] for i in some]
    assert corpus.train[9] != second[9] and isinstance(corpus.train[9], EncodedExample)
    for noisy_example, text in zip(second, task.read([str(data)]), strict=False):
        assert noisy_example.target is not None and task.target_tokenizer.decode(noisy_example.target) == text.target


def test_what_noise_makes_too_long_is_left_plain(data: Path, tmp_path: Path) -> None:
    corpus, _ = noisy(data, tmp_path, max_length=5)
    taken = corpus.train.take(range(len(corpus.train)), 0)
    assert max(len(e.source) for e in taken) <= 5


def test_a_filter_is_no_transform(data: Path) -> None:
    corpus = load(configure([str(data)], data, transforms=["duplicates"]))
    with pytest.raises(UserError, match=r"name it in data\.filters"):
        corpus.train.take([0, 0], 0)


def streamed(data: Path, **more: Any) -> tuple[Corpus, Translation]:
    task = new_task()
    config = configure([str(data)], data, streaming=True, shuffle_buffer=50, filters=["duplicates"], **more)
    return load_corpus(config, task, prepare=True, seed=2), task


def epoch_of(corpus: Corpus, epoch: int, first: int = 0) -> list[list[EncodedExample]]:
    batches, taken, index = token_batches(corpus.train, 60, seed=2).batches(epoch), [], first
    while not batches.ends_at(index):
        taken.append(corpus.train.take(batches[index], epoch))
        index += 1
    return taken


def test_a_stream_has_every_example_in_every_epoch_and_another_order(data: Path) -> None:
    corpus, task = streamed(data)
    expected = Counter(str(e) for e in {e.id: e for e in task.encode(list(task.read([str(data)])))}.values())
    first, second = (epoch_of(corpus, epoch) for epoch in (0, 1))
    unique = Counter((tuple(e.source), tuple(e.target or [])) for batch in first for e in batch)
    assert set(unique.values()) == {1} and len(unique) <= expected.total()
    assert {str(e) for batch in first for e in batch} == {str(e) for batch in second for e in batch} <= set(expected)
    assert first != second
    assert all(len(batch) * max(len(e.source) for e in batch) <= 60 for batch in first)


def test_a_stream_goes_on_at_any_batch(data: Path) -> None:
    whole = epoch_of(streamed(data, transforms=["word_swap"])[0], 1)
    assert epoch_of(streamed(data, transforms=["word_swap"])[0], 1, first=7) == whole[7:]
    with pytest.raises(IndexError):
        batches = token_batches(streamed(data)[0].train, 60, seed=2).batches(0)
        batches.ends_at(len(whole) - 1)
        batches[0]


def test_a_changed_stream_has_another_digest(data: Path) -> None:
    digest = streamed(data)[0].digest()
    assert streamed(data)[0].digest() == digest
    data.write_text(data.read_text() + "one\tun\n")
    assert streamed(data)[0].digest() != digest


def test_a_stream_cannot_be_mixed_by_weight_and_must_hold_something(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="streaming reads one corpus after the other"):
        configure([{"paths": [str(data)], "weight": 1}], data, streaming=True)
    copies = write(tmp_path / "b.tsv", [("a", "a")])
    with pytest.raises(DataError, match=r"b\.tsv: no training example is left after the filters"):
        load(configure([str(copies)], data, streaming=True, filters=["copies"]))


def test_data_that_a_run_was_not_trained_on_does_not_stay_in_its_cache(tiny_values: Any, tmp_path: Path) -> None:
    values = tiny_values(max_steps=2, validation_examples=0)
    data = tmp_path / "a.tsv"
    shutil.copy(values["data"]["train"][0], data)
    values["data"]["train"] = [str(data)]
    train(make_config(values, [], "test"), tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "data")
    right = data.read_text()
    data.write_text(right.replace("one", "two", 1))
    with pytest.raises(DataError, match=r"a\.tsv: is not the data that .*run was trained on"):
        resume(tmp_path / "run")
    data.write_text(right)
    assert resume(tmp_path / "run", ["training.max_steps=3"]).steps == 3


@pytest.mark.parametrize("section", [{}, {"streaming": True, "shuffle_buffer": 40}], ids=["kept", "streamed"])
def test_a_broken_run_with_noise_goes_on_as_if_unbroken(
    tiny_values: Any, tmp_path: Path, section: dict[str, Any]
) -> None:
    class Break(Callback):
        def on_step(self, trainer: Trainer, step: Step) -> None:
            if step.step == 17:
                raise ZeroDivisionError

    values = tiny_values(max_steps=25, validation_examples=0)
    values["data"] |= {"transforms": ["word_swap", {"name": "token_mask", "rate": 0.2}], **section}
    config = make_config(values, [], "test")
    train(config, tmp_path / "unbroken")
    with pytest.raises(ZeroDivisionError):
        train(config, tmp_path / "broken", callbacks=[Break()])
    resume(tmp_path / "broken")
    ours, theirs = (read_tensors(tmp_path / run / "training.safetensors")[0] for run in ("broken", "unbroken"))
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []
