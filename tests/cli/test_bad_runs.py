"""Run folders of which a file is missing, cut off, another run's or no file at all: named, whatever verb opens them."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from support.in_process import one_sentence, s2s

FILES = ["checkpoint.json", "model.safetensors", "training.safetensors", "tokenizers/source.json"]
FAULTS = ["missing", "empty", "cut", "foreign", "picture", "folder", "pipe"]


@pytest.fixture
def run(runs: dict[str, Path], tmp_path: Path) -> Path:
    return shutil.copytree(runs["translate"], tmp_path / "run")


def spoil(file: Path, fault: str, foreign: Path) -> None:
    content = file.read_bytes()
    file.unlink()
    if fault == "folder":
        file.mkdir()
    elif fault == "pipe":
        os.mkfifo(file)
    elif fault != "missing":
        contents = {"empty": b"", "cut": content[: len(content) // 2], "picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 100}
        file.write_bytes(foreign.read_bytes() if fault == "foreign" else contents[fault])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", FILES)
def test_a_spoilt_file_is_named_by_every_verb(
    run: Path, runs: dict[str, Path], tmp_path: Path, name: str, fault: str
) -> None:
    data = runs["translate"].parent / "pairs.tsv"
    foreign = runs["pronounce"] / name
    spoil(run / name, fault, foreign)
    last = name == "training.safetensors"
    commands = {
        "translate": ("translate", run, *(["--checkpoint", "last"] if last else [])),
        "evaluate": ("evaluate", run, "--data", data, *(["--checkpoint", "last"] if last else [])),
        "score": ("score", run, *(["--checkpoint", "last"] if last else [])),
        "resume": ("train", "--resume", run, "--set", "training.max_steps=2"),
        "compile": ("compile", run, *(["--checkpoint", "last"] if last else [])),
        "inspect": ("inspect", run),
    }
    if not last:
        commands["average"] = ("average", run, runs["translate"], "-o", tmp_path / "mean")
        commands["ensemble"] = ("translate", runs["translate"], "--ensemble", run)
    if name == "model.safetensors":
        del commands["resume"]  # needs the last state alone
    if last or fault == "foreign" or (name == "model.safetensors" and fault == "missing"):
        del commands["inspect"]  # tells what is there
    for verb, arguments in commands.items():
        said = one_sentence(s2s(*arguments, stdin=b"one two\n"))
        # Another run's checkpoint.json has other digests than the tokenizers that lie beside it, or another model.
        named = rf"{re.escape(str(run))}" + ("" if fault == "foreign" else f"(/{name}|: .*{name})")
        assert re.search(named, said), (verb, said)
    assert not (tmp_path / "mean").exists()


@pytest.mark.parametrize("content", [None, b"\x89PNG", b'{"kind": "train"}\n[1]\nx\n', b""], ids=str)
def test_a_spoilt_log_is_no_reason_to_stop(run: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.training.curves.draw_curves", lambda *_: None)
    (run / "metrics.jsonl").unlink()
    if content is not None:
        (run / "metrics.jsonl").write_bytes(content)
    assert s2s("translate", run, stdin=b"one\n").code == 0
    assert s2s("train", "--resume", run, "--set", "training.max_steps=2").code == 0


def test_what_is_no_run_is_told(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x89PNG")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, problem in (
        ("file", "is not a run folder but a file"),
        ("pipe", "is not a run folder but a file"),
        ("empty", "is not a run folder: it holds no checkpoint.json"),
        ("none", "there is no such run folder"),
        ("n" * 5000, "File name too long"),
    ):
        for arguments in (
            ("translate", tmp_path / path),
            ("evaluate", tmp_path / path, "--data", "x.tsv"),
            ("score", tmp_path / path),
            ("chat", tmp_path / path),
            ("average", tmp_path / path, "-o", tmp_path / "mean"),
            ("train", "--resume", tmp_path / path),
            ("compile", tmp_path / path),
            ("inspect", tmp_path / path),
        ):
            said = one_sentence(s2s(*arguments, stdin=b"one\n"))
            assert said == f"Error: {tmp_path / path}: {problem}" or said.startswith(
                f"Error: {tmp_path / path}: {problem},"
            ), said


def test_a_run_that_needs_what_is_not_here_says_what(run: Path) -> None:
    import json

    from seq2seq_kit.sealed import read_json, write_json

    values = read_json(run / "checkpoint.json")
    decoder = next(one for one in values["components"] if one["path"] == "model.decoder")
    decoder.update(distribution="s2s-elsewhere", version="2.1", name="mine")
    write_json(run / "checkpoint.json", values)
    said = one_sentence(s2s("translate", run, stdin=b"one\n"))
    assert "needs the decoder 'mine' of s2s-elsewhere 2.1, which is not installed here" in said
    assert "pip install s2s-elsewhere==2.1" in said
    (run / "checkpoint.json").write_text(json.dumps(values), encoding="utf-8")
    assert "holds no sha256" in one_sentence(s2s("translate", run, stdin=b"one\n"))


def test_a_new_run_is_never_written_into_an_old_one(run: Path, runs: dict[str, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    for arguments in (
        ("train", runs["translate"].parent / "config.yaml", "--out", run),
        ("average", runs["translate"], runs["translate"], "-o", run),
    ):
        one_sentence(s2s(*arguments))
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
