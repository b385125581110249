"""Recordings in, text and times out: what is read, what is refused, and a model that learns two sounds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from seq2seq_kit_speech.audio import Reader, Recording
from seq2seq_kit_speech.features import LogMel, mel_filters
from seq2seq_kit_speech.task import TimedWord, Transcription, TranscriptionConfig
from seq2seq_kit_speech.transcribe import _opened, transcribe

from seq2seq_kit import DataError, Example, Hypothesis, UserError, load
from seq2seq_kit.testing import check_task

RATE = 8000


def tone(frequency: float, seconds: float = 0.3, rate: int = RATE) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate).astype(np.float32) / 2


def silence(seconds: float = 0.1) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(name: str, samples: Any, rate: int = RATE, **how: Any) -> Path:
        soundfile.write(tmp_path / name, samples, rate, **how)
        return tmp_path / name

    return written


def make_task(**options: Any) -> Transcription:
    task = Transcription(TranscriptionConfig(**{"rate": RATE, "features": 20, "tokenizer": "word", **options}))
    task.prepare([Example("", "low high")])
    return task


# --- Reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "how"), [("a.wav", {}), ("a.flac", {}), ("a.wav", {"subtype": "FLOAT"})])
def test_wav_and_flac_are_read(write: Callable[..., Path], name: str, how: dict[str, str]) -> None:
    path = write(name, tone(440), **how)
    np.testing.assert_allclose(Reader(RATE).read(Recording(path)), tone(440), atol=1e-4)
    assert Reader(RATE).seconds(Recording(path)) == pytest.approx(0.3)


def test_channels_are_averaged(write: Callable[..., Path]) -> None:
    path = write("a.wav", np.stack([tone(440), np.zeros_like(tone(440))], 1))
    np.testing.assert_allclose(Reader(RATE).read(Recording(path)), tone(440) / 2, atol=1e-4)


def test_a_part_is_read(write: Callable[..., Path]) -> None:
    path = write("a.wav", np.concatenate([silence(0.5), tone(440), silence(0.2)]))
    np.testing.assert_allclose(Reader(RATE).read(Recording(path, 0.5, 0.8)), tone(440), atol=1e-4)
    assert len(Reader(RATE).read(Recording(path, 0.5))) == RATE // 2


def test_another_rate_is_converted_where_that_is_asked_for(write: Callable[..., Path]) -> None:
    path = write("a.wav", tone(440, rate=16000), rate=16000)
    with pytest.raises(
        DataError, match=r"a.wav: has 16,000 samples a second, and the task reads 8,000.*resample: true"
    ):
        Reader(RATE).read(Recording(path))
    found = Reader(RATE, resample=True).read(Recording(path))
    assert len(found) == len(tone(440))
    np.testing.assert_allclose(found[200:-200], tone(440)[200:-200], atol=0.01)


def test_what_cannot_be_used_is_named(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("RIFF, they say")
    (tmp_path / "raw.raw").write_bytes(b"\0" * 100)
    cut = write("cut.flac", np.random.default_rng(0).random(20_000).astype(np.float32) - 0.5)
    cut.write_bytes(cut.read_bytes()[:15_000])
    odd = np.full(4000, np.nan, np.float32)
    cases: list[tuple[Recording, str]] = [
        (Recording(tmp_path / "none.wav"), r"none.wav: there is no such file"),
        (Recording(tmp_path), "is a folder, not a recording"),
        (Recording(tmp_path / "text.wav"), r"text.wav: cannot be read as audio: "),
        (Recording(tmp_path / "raw.raw"), r"raw.raw: cannot be read as audio: "),
        (Recording(cut), r"cut.flac: (is cut off|cannot be read to its end)"),
        (Recording(write("empty.wav", np.zeros(0))), r"empty.wav: is empty: it holds no sample"),
        (Recording(write("nan.wav", odd, subtype="FLOAT")), "holds samples that are no numbers"),
        (Recording(write("short.wav", tone(440)), 0.1, 9), r"short.wav \(0.1 to 9 s\): is 0.3 s long, too short"),
        (Recording(write("short.wav", tone(440)), 9), r"short.wav \(9 to the end s\): is 0.3 s long, too short"),
        (Recording(write("short.wav", tone(440)), 0.2, 0.1), r"a part must begin at 0 s or later, and end after"),
    ]
    for recording, message in cases:
        with pytest.raises(DataError, match=message):
            Reader(RATE).read(recording)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    features = LogMel(RATE, 20, 25, 10)
    samples = np.concatenate([tone(500), tone(2000)])
    frames = features(samples)
    assert frames.shape == (1 + (len(samples) - 200) // 80, 20)
    np.testing.assert_allclose(frames.mean(0), 0, atol=1e-4)
    filters = mel_filters(RATE, 20, 256)
    low, high = (int(filters[round(f * 256 / RATE)].argmax()) for f in (500, 2000))
    assert frames[:25, low].mean() > 0.5 > -0.5 > frames[-25:, low].mean()
    assert frames[-25:, high].mean() > 0.5 > -0.5 > frames[:25, high].mean()


def test_loudness_does_not_matter() -> None:
    features, samples = LogMel(RATE, 20, 25, 10), np.random.default_rng(0).normal(size=4000).astype(np.float32)
    np.testing.assert_allclose(features(samples), features(samples / 4), atol=0.01)
    assert features(samples[:100]).shape == (0, 20)


# --- The task ---------------------------------------------------------------------------------------------------------


def test_a_manifest_names_files_beside_itself(write: Callable[..., Path], tmp_path: Path) -> None:
    write("a.wav", tone(440))
    (tmp_path / "data.tsv").write_text("a.wav\tlow\n", encoding="utf-8")
    task = make_task()
    [example] = task.read([str(tmp_path / "data.tsv")])
    assert example.source == str(tmp_path / "a.wav") and example.extras == {"seconds": 0.3}
    [encoded] = task.encode([example])
    assert encoded.frames is not None and encoded.frames.shape == (28, 20) and encoded.source == []
    assert task.target_tokenizer.tokens(encoded.target or []) == ["low", "</s>"]


def test_the_task_keeps_its_contract(write: Callable[..., Path]) -> None:
    texts = ["low", "low high low", "high high"]
    examples = [
        Example(str(write(f"{i}.wav", tone(440, 0.2 + 0.1 * i))), text, extras={"seconds": 0.2 + 0.1 * i}, id=i)
        for i, text in enumerate(texts)
    ]
    config = TranscriptionConfig(rate=RATE, features=20, tokenizer="word")  # type: ignore[arg-type]
    check_task(Transcription(config), examples)


def test_lines_may_be_parts_of_a_file(write: Callable[..., Path], tmp_path: Path) -> None:
    write("a.wav", np.concatenate([tone(500), tone(2000)]))
    lines = [
        {"audio": "a.wav", "text": "low", "start": 0, "end": 0.3},
        {"audio": "a.wav", "text": "high", "start": 0.3},
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps({"end": None, **line}) + "\n" for line in lines))
    task = make_task(segments=True)
    examples = list(task.read([str(tmp_path / "data.jsonl")]))
    assert [example.extras["seconds"] for example in examples] == pytest.approx([0.3, 0.3])
    first, second = task.encode(examples)
    assert first.source_length == second.source_length == 28


@pytest.mark.parametrize("start", ["soon", True, float("nan")])
def test_a_part_that_begins_at_no_time_is_refused(write: Callable[..., Path], start: Any) -> None:
    path = write("a.wav", tone(440))
    with pytest.raises(DataError, match=r"a.wav: its 'start' must be a number of seconds, is "):
        make_task().example({"audio": str(path), "start": start})
    with pytest.raises(DataError, match="is not an object with a text 'audio'"):
        make_task().example({"source": str(path)})


def test_unusable_recordings_stop_or_are_counted(write: Callable[..., Path], tmp_path: Path) -> None:
    write("a.wav", tone(440))
    write("empty.wav", np.zeros(0))
    data = tmp_path / "data.tsv"
    data.write_text("a.wav\tlow\nempty.wav\thigh\nnone.wav\thigh\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"data.tsv, line 2: .*empty.wav: is empty"):
        list(make_task().read([str(data)]))
    examples = make_task().read([str(data)], "skip")
    assert len(list(examples)) == 1 and examples.report.skipped == {"not usable": 2}


def test_what_is_shorter_than_a_frame_is_refused(write: Callable[..., Path]) -> None:
    path = write("a.wav", tone(440, 0.01))
    with pytest.raises(DataError, match=r"a.wav: is shorter than a frame \(25 ms\)"):
        make_task().encode([Example(str(path))])


def test_a_batch_is_padded(write: Callable[..., Path]) -> None:
    task = make_task()
    paths = [write("a.wav", tone(440)), write("b.wav", tone(440, 0.5))]
    batch = task.collate(task.encode([Example(str(p), t) for p, t in zip(paths, ["low", "low high"], strict=True)]))
    assert batch.source.shape == (2, 48, 20) and batch.source_mask.sum(1).tolist() == [28, 48]
    assert not batch.source[0, 28:].any() and batch.target_mask is not None
    assert batch.target_mask.sum(1).tolist() == [2, 3]


def test_words_are_timed_by_attention() -> None:
    task = make_task(tokenizer="char")
    task.prepare([Example("", "ab c")])
    ids = [*task.target_tokenizer.encode(["ab c"])[0], 2]
    attention = torch.eye(5).repeat_interleave(2, 1)  # [tokens, 10 states]
    hypothesis = Hypothesis(ids, -1.0, -1.0, [-0.2] * 5, attention=attention)
    output = task.decode(Example("x", extras={"seconds": 5.0, "start": 1.0}), [hypothesis, hypothesis])
    assert output.text == "ab c"
    # "a", "b" and the space before "c" have two states of half a second each
    assert output.words == [TimedWord("ab", 1.0, 4.0), TimedWord("c", 4.0, 5.0)]
    assert output.source_tokens[:3] == ["1.00", "1.50", "2.00"]
    assert output.alternatives[0].words == output.words  # type: ignore[attr-defined]
    assert task.decode(Example("x", extras={"seconds": 5.0}), []).words == []
    silent = Hypothesis(ids, -1.0, -1.0, [-0.2] * 5)
    assert task.decode(Example("x", extras={"seconds": 5.0}), [silent]).words == []


# --- From training to the command line --------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parents[1] / "example.yaml"
SMALL = {
    "task.rate": 8000,
    "task.features": 20,
    "task.tokenizer": "{name: word, split: whitespace}",
    "data.transforms": "[{name: spec_augment, frequency_width: 3, time_width: 3}]",
    "model.encoder.channels": 4,
    "model.encoder.dropout": 0,
    "model.encoder.encoder": "{name: lstm, embedding_size: 24, size: 32, bidirectional: true}",
    "model.decoder.embedding_size": 16,
    "model.decoder.size": 32,
    "model.decoder.dropout": 0,
    "training.max_steps": 200,
    "training.batch_tokens": 1500,
    "training.learning_rate": 0.01,
    "training.schedule": "constant",
    "training.validate_every": 200,
    "training.validation_examples": 10,
    "search.beam_size": 3,
    "search.max_length": 8,
}
"""What makes of the example something that learns in a moment."""
TONES = {"low": 400.0, "high": 2500.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the example's configuration, trained on strings of two tones."""
    pytest.importorskip("jiwer")
    folder = tmp_path_factory.mktemp("tones")
    draw, lines = np.random.default_rng(1), []
    for number in range(40):
        words = [("low", "high")[i] for i in draw.integers(0, 2, draw.integers(1, 4))]
        soundfile.write(folder / f"{number}.flac", spoken(words, draw), RATE)
        lines.append(f"{number}.flac\t{' '.join(words)}\n")
    (folder / "data.tsv").write_text("".join(lines), encoding="utf-8")
    small = {**SMALL, "data.train": f'["{folder / "data.tsv"}"]', "data.dev": f'["{folder / "data.tsv"}"]'}
    overrides = [part for name, value in small.items() for part in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "seq2seq_kit", "train", EXAMPLE, "--out", folder / "run", *overrides]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def spoken(words: list[str], draw: np.random.Generator) -> NDArray[np.float32]:
    pieces = [silence(0.1)]
    for word in words:
        pieces += [tone(TONES[word] * draw.uniform(0.95, 1.05), 0.2), silence(draw.uniform(0.08, 0.15))]
    return np.concatenate(pieces)


def test_it_learns_to_transcribe(run: Path, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(2)
    said = [["low", "high", "high"], ["high"], ["low", "low"]]
    files = [write(f"{i}.wav", spoken(words, draw)) for i, words in enumerate(said)]
    transcribe(run, files)
    assert capsys.readouterr().out == "low high high\nhigh\nlow low\n"
    transcribe(run, files[:1], timestamps=True)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[3] for row in rows] == said[0] and {row[0] for row in rows} == {str(files[0])}
    times = [float(t) for row in rows for t in row[1:3]]
    assert times == sorted(times)
    transcribe(run, files[:1], as_json=True, n_best=2)
    record = json.loads(capsys.readouterr().out)
    assert record["file"] == str(files[0]) and [w["word"] for w in record["words"]] == said[0]
    assert len(record["alternatives"]) == 1


def test_a_run_answers_in_python(run: Path, write: Callable[..., Path]) -> None:
    path = write("a.wav", spoken(["low", "high"], np.random.default_rng(3)))
    pipeline = load(run)
    whole, part = pipeline.transcribe([str(path), {"audio": str(path), "start": 0.0, "end": 0.35}])
    assert whole.text == "low high" and part.text == "low"
    assert pipeline.processors  # what the run's configuration names


def test_bad_recordings_are_named_and_skipped_only_when_asked(
    run: Path, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good = write("a.wav", spoken(["low", "high"], np.random.default_rng(3)))
    files = [good, write("empty.wav", np.zeros(0)), write("odd.wav", tone(440, rate=16000), rate=16000), good]
    with pytest.raises(DataError, match=r"empty.wav: is empty: it holds no sample; --skip-bad leaves"):
        transcribe(run, files)
    transcribe(run, files, skip_bad=True)
    written = capsys.readouterr()
    assert written.out == "low high\n\n\nlow high\n"
    assert "empty.wav: is empty: it holds no sample; skipped" in written.err and "odd.wav: has 16,000" in written.err
    transcribe(run, files[1:2], skip_bad=True, as_json=True)
    assert "is empty" in json.loads(capsys.readouterr().out)["error"]


def test_usage_that_makes_no_sense_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --json too"):
        transcribe(run, [tmp_path], n_best=2)
    with pytest.raises(UserError, match="best or last"):
        transcribe(run, [tmp_path], checkpoint="first")
    with pytest.raises(UserError, match="cannot be written"):
        transcribe(run, [], output=tmp_path / "none" / "out.txt")


def test_no_recording_is_lost_to_an_output(write: Callable[..., Path], tmp_path: Path) -> None:
    recording = write("a.wav", np.zeros(800))
    before = recording.read_bytes()
    with pytest.raises(UserError, match=r"a\.wav: is among the recordings, and would be lost"):
        _opened(recording, [str(tmp_path / "none.wav"), str(recording)])
    assert recording.read_bytes() == before
