"""Files that are no text, or no text of ours, given to every verb that reads: one sentence, and the rest is done."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.in_process import Done, one_sentence, s2s

from seq2seq_kit.data import lines

VERBS = ["translate", "transduce", "summarize", "pronounce", "respond", "generate"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What users take for a text file by mistake."""
    folder = tmp_path_factory.mktemp("files")
    contents = {
        "picture.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)),
        "model.pkl": pickle.dumps({"a": [1.5] * 40}),
        "page.html": b"<!DOCTYPE html>\n<html><body><p>One two.</p></body></html>\n",
        "junk.bin": bytes((i * 7919) % 256 for i in range(4096)),
        "latin1.txt": "\nélève\tsœur\n".encode("cp1252"),
        "utf16.txt": "one two\tun deux\n".encode("utf-16"),
        "utf16le.txt": "one two\tun deux\n".encode("utf-16-le"),
        "long.txt": b"one " * 3_000,
        "cut.tsv.gz": gzip.compress(b"one two\tUH N\n" * 500)[:-20],
        "list.jsonl": b'[{"source": "one"},\n {"source": "two"}]\n',
        "deep.jsonl": b"[" * 100_000 + b"\n",
        "numbers.jsonl": b'{"source": 1, "target": ' + b"9" * 5000 + b"}\n",
        "half.jsonl": b'{"source": "\\ud800", "target": "x"}\n',
        "no.parquet": b"PAR1" + b"\0" * 100,
        "page.parquet": b"<html></html>",
        "empty.tsv": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with sqlite3.connect(folder / "data.sqlite") as data:
        data.execute("create table pairs (source, target)")
    (folder / "folder").mkdir()
    return {path.name: path for path in folder.iterdir()}


NO_TEXT = {
    "picture.png": r"line 1: is not valid UTF-8 \(byte 1\)",
    "model.pkl": r"line 1: is not valid UTF-8 \(byte 1\)",
    "junk.bin": r"line 1: is not valid UTF-8",
    "data.sqlite": r"line 1: (is not valid UTF-8|holds a zero byte)",
    "latin1.txt": r"line 2: is not valid UTF-8 \(byte \d\)",
    "utf16.txt": r"line 1: is UTF-16, not UTF-8: convert it \(iconv -f UTF-16 -t UTF-8\)",
    "utf16le.txt": r"line 1: holds a zero byte \(byte 2\)",
    "folder": r"cannot be read: Is a directory",
    "missing.txt": r"cannot be read: No such file or directory",
}


@pytest.mark.parametrize("name", NO_TEXT)
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_text_is_named(runs: dict[str, Path], files: dict[str, Path], verb: str, name: str) -> None:
    path = files.get(name, files["folder"].parent / name)
    said = one_sentence(s2s(verb, runs[verb], path))
    assert re.search(f"{re.escape(str(path))}[:,] {NO_TEXT[name]}", said), said


@pytest.mark.parametrize("verb", ["translate", "score", "chat"])
def test_junk_on_stdin_is_named_and_can_be_skipped(runs: dict[str, Path], files: dict[str, Path], verb: str) -> None:
    run, good = (
        runs["respond" if verb == "chat" else "translate"],
        b"one two\tUH N\n" if verb == "score" else b"one two\n",
    )
    said = one_sentence(s2s(verb, run, stdin=files["junk.bin"].read_bytes()))
    assert re.search("stdin, line 1: .*; --skip-bad", said), said
    bad = files["picture.png"].read_bytes().replace(b"\n", b"") + b"\n"
    done = s2s(verb, run, "--skip-bad", stdin=good + bad + good)
    assert done.code == 0 and "stdin, line 2: is not valid UTF-8 (byte 1); skipped" in done.err
    rows = done.out.split("\n")
    expected = [bool(row) for row in rows]
    assert expected == ([True, True, False] if verb == "chat" else [True, False, True, False]), rows


@pytest.mark.parametrize("verb", ["translate", "score", "chat"])
def test_a_line_without_end_is_not_read_whole(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 1000)
    run, good = (
        runs["respond" if verb == "chat" else "translate"],
        b"one two\tUH N\n" if verb == "score" else b"one two\n",
    )
    endless = b"x\t" + b"a" * 1_000_000
    said = one_sentence(s2s(verb, run, stdin=endless))
    assert "stdin, line 1: has more than 1,000 bytes, which is no line of text; --skip-bad" in said
    done = s2s(verb, run, "--skip-bad", stdin=endless + b"\n" + good)
    assert done.code == 0 and done.out.splitlines()[-1], done
    assert "line 1: has more than 1,000 bytes" in done.err


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_gigabytes_without_a_line_end_take_no_memory(runs: dict[str, Path]) -> None:
    assert "has more than 10,000,000 bytes" in one_sentence(s2s("translate", runs["translate"], "/dev/zero"))
    assert "has more than 1,000,000 bytes" in one_sentence(s2s("train", "/dev/zero"))


@pytest.mark.parametrize("verb", ["translate", "score", "chat"])
def test_too_long_a_line_is_one_sentence(runs: dict[str, Path], verb: str) -> None:
    run = runs["respond" if verb == "chat" else "translate"]
    line = b"one\t" * (verb == "score") + b"two " * 3000 + b"\n"
    said = one_sentence(s2s(verb, run, stdin=line))
    assert re.search(r"stdin, line 1: has 1[12],\d{3} characters.*, more than (the limit of )?10,000", said), said


def test_ends_of_lines_and_byte_order_marks_make_no_difference(runs: dict[str, Path]) -> None:
    for verb, text in (("translate", "one two\ntwo three\n"), ("score", "one two\tUH N\ntwo three\tT UW\n")):
        plain = s2s(verb, runs["translate"], stdin=text.encode())
        assert plain.code == 0 and plain.out.count("\n") == 2
        assert s2s(verb, runs["translate"], stdin=text.replace("\n", "\r\n").encode()) == plain
        assert s2s(verb, runs["translate"], stdin=b"\xef\xbb\xbf" + text.encode()) == plain
        assert s2s(verb, runs["translate"], stdin=text.rstrip("\n").encode()) == plain
    assert s2s("translate", runs["translate"], stdin=b"one two\rtwo three\r").out.count("\n") == 1
    assert s2s("translate", runs["translate"], "/dev/null") == Done(0, "", "")


DATA = {
    "picture.png": r"line 1: is not valid UTF-8",
    "utf16.txt": r"line 1: is UTF-16",
    "data.sqlite": r"line 1: (is not valid UTF-8|holds a zero byte)",
    "page.html": r"line 1: has 1 column, must have 2: source TAB target",
    "cut.tsv.gz": r"is damaged after line \d+: its gzip data is cut off",
    "list.jsonl": r"line 1: is not valid JSON|line 1: must be a JSON object, is a list",
    "deep.jsonl": r"line 1: (is not valid|cannot be read as) JSON",
    "numbers.jsonl": r"line 1: cannot be read as JSON",
    "half.jsonl": r"line 1: its 'source' holds half of a surrogate pair",
    "no.parquet": r"cannot be read as Parquet",
    "page.parquet": r"cannot be read as Parquet",
    "empty.tsv": r"is empty: it holds no example",
    "folder": r"is a folder, not a data file",
    "missing.tsv": r"there is no such file",
}


@pytest.mark.parametrize("name", DATA)
def test_data_that_is_none_is_named(runs: dict[str, Path], files: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = files.get(name, files["folder"].parent / name)
    expected = f"{re.escape(str(path))}[:,] ({DATA[name]})"
    said = one_sentence(s2s("evaluate", runs["translate"], "--data", path))
    assert re.search(expected, said), said
    said = one_sentence(s2s("train", config(runs, tmp_path, train=[str(path)]), "--out", tmp_path / "run"))
    assert re.search(expected, said), said
    assert not (tmp_path / "run").exists()


def test_a_pipe_is_not_read_in_every_epoch(runs: dict[str, Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tsv")
    streamed = config(runs, tmp_path, train=[str(tmp_path / "pipe.tsv")], streaming=True)
    said = one_sentence(s2s("train", streamed, "--out", tmp_path / "run"))
    assert said.endswith("pipe.tsv: is a pipe, which can be read once; data.streaming reads data in every epoch")


def config(runs: dict[str, Path], folder: Path, **data: object) -> Path:
    """A configuration like that of a run, with other data."""
    values = json.loads((runs["translate"] / "checkpoint.json").read_text(encoding="utf-8"))["config"]
    values["data"].update(data)
    path = folder / "config.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


LAUGHS = b"a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
LAUGHS += b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b", ".join([b"*%c" % n] * 9)) for n in range(97, 104))
CONFIGS = {
    b"\x89PNG\r\n\x1a\n": r"cannot be read: it is not valid UTF-8 \(byte 1\)",
    b"": r"must hold a mapping with the sections seed, task, ",
    b"[1, 2]": r"must hold a mapping",
    b"<html>": r"must hold a mapping",
    b"\0\0": r"is not valid YAML",
    b"seed: [" + b"[" * 1500: r"is not valid YAML",
    b"seed: 2001-13-45\n": r"is not valid YAML: month must be in 1..12",
    b"seed: " + b"9" * 5000: r"is not valid YAML",
    LAUGHS: r"100,000 values",
    b"a: &a [*a]\n": r"100,000 values",
    b"seed: 99999999999999999999": r"seed: input should be (less than 9223372036854775808|a valid integer)",
    b"seed: 1\nseed: 2\n": r"the key 'seed' is given twice",
    b"sead: 1\n": r"there is no field 'sead'; did you mean 'seed'\?",
    b"seed: [" + b"1, " * 500 + b"]": r"seed: .*…",
}


@pytest.mark.parametrize("content", CONFIGS, ids=lambda content: repr(content[:20]))
def test_a_configuration_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    done = s2s("train", path)
    assert done.code == 2 and "Traceback" not in done.err and len(done.err) < 5000, done.err[:5000]
    assert re.search(f"^Error: {re.escape(str(path))}: (.|\n)*{CONFIGS[content]}", done.err), done.err
    assert s2s("train", tmp_path).err == f"Error: {tmp_path}: cannot be read: Is a directory\n"


Given = Callable[[dict[str, Path]], list[object]]
SETTINGS: list[tuple[str, list[object], str]] = [
    ("translate", ["--threads", "0"], r"threads must be between 1 and 1,024, got 0"),
    ("translate", ["--threads", "99999999"], r"threads must be between 1 and 1,024, got 99,999,999"),
    ("translate", ["--threads", "two"], r"'--threads': Input should be a valid integer"),
    ("translate", ["--device", "tpu:7"], r"device 'tpu:7' cannot be used here"),
    ("translate", ["--device", "cuda:99"], r"device 'cuda:99' cannot be used here"),
    ("translate", ["--device", "meta"], r"device 'meta' cannot be used here: its tensors hold no data"),
    ("translate", ["--precision", "fp64"], r"precision"),
    ("translate", ["--stepper", "fast"], r"stepper"),
    ("translate", ["--checkpoint", "first"], r"--checkpoint must be best or last, got 'first'"),
    ("translate", ["--beam-size", "1000000000"], r"beam_size = 1000000000"),
    ("translate", ["--temperature", "nan"], r"temperature"),
    ("translate", ["--length-penalty", "inf"], r"length_penalty"),
    ("translate", ["--seed", "-7"], r"seed = -7"),
    ("translate", ["--seed", str(2**80)], r"seed = "),
    ("translate", ["--set", "beam=3"], r"there is no field 'beam'; did you mean"),
    ("translate", ["--set", "beam_size.x=3"], r"beam_size is not a section"),
    ("translate", ["--set", "beam_size=2001-13-45"], r"'2001-13-45' is not a YAML value"),
    ("translate", ["--weights", "nan"], r"weights"),
    ("translate", ["--to", "fr"], r"there is no target language 'fr'"),
    ("translate", ["--dictionary", "/dev/null"], r"--dictionary says .* give --replace-unknown too"),
    ("translate", ["--batch-size", "0"], r"'--batch-size': Input should be greater than or equal to 1"),
    ("translate", ["--skip-good"], r"No such option: --skip-good"),
    ("evaluate", [], r"Missing option '--data'"),
    ("evaluate", ["--data", "a", "--data", "b", "--data", "c"], r"one data file, or two parallel ones"),
    ("evaluate", ["--data", "phrasebook:exam"], r"phrasebook:exam: "),
    ("score", ["--set", "n_best=x"], r"n_best"),
    ("chat", ["--top-p", "2"], r"top_p"),
]


@pytest.mark.parametrize(("verb", "given", "expected"), SETTINGS, ids=lambda value: str(value)[:40])
def test_a_setting_that_cannot_be_is_named(
    runs: dict[str, Path], verb: str, given: list[object], expected: str
) -> None:
    done = s2s(verb, runs["respond" if verb == "chat" else "translate"], *given, stdin=b"one\n")
    assert done.code == 2 and "Traceback" not in done.err and not done.out, done
    assert re.search(expected, done.err), done.err


def test_what_belongs_to_another_task_is_told(runs: dict[str, Path]) -> None:
    for verb in VERBS:
        other = VERBS[VERBS.index(verb) - 1]
        said = one_sentence(s2s(verb, runs[other], stdin=b"one\n"))
        assert re.search(rf"{other} is a run of the task '\w+': use s2s {other}$", said), said
    assert "Translation holds no conversations" in one_sentence(s2s("chat", runs["translate"], stdin=b"hi\n"))
    data = runs["translate"].parent / "turns.tsv"
    assert "has 4 columns, must have 2" in one_sentence(s2s("evaluate", runs["translate"], "--data", data))
    data = runs["translate"].parent / "pairs.tsv"
    assert "has 2 columns, must have 4" in one_sentence(s2s("evaluate", runs["respond"], "--data", data))
    said = one_sentence(s2s("translate", runs["translate"], "--ensemble", runs["pronounce"], stdin=b"one\n"))
    assert "cannot join" in said
    assert "is a language model" in one_sentence(s2s("evaluate", runs["translate"], runs["generate"], "--data", data))


def test_what_cannot_be_decoded_is_skipped_and_the_rest_is_done(runs: dict[str, Path]) -> None:
    records = [{"source": "one two"}, {"source": "a dog", "prefix": "UH N UH N UH N UH N"}, {"source": "two three"}]
    given = "".join(json.dumps(record) + "\n" for record in records).encode()
    assert "prefix" in one_sentence(s2s("translate", runs["translate"], "--jsonl", stdin=given))
    done = s2s("translate", runs["translate"], "--jsonl", "--skip-bad", "--min-length", "1", stdin=given)
    assert done.code == 0 and [bool(line) for line in done.out.split("\n")] == [True, False, True, False], done
    assert re.search(r"stdin, line 2: .*prefix.*; skipped", done.err), done.err
    streamed = s2s(
        "translate", runs["translate"], "--jsonl", "--skip-bad", "--min-length", "1", "--stream", stdin=given
    )
    assert streamed.code == 0 and streamed.out == done.out


def test_a_conversation_longer_than_any_budget_goes_on(runs: dict[str, Path]) -> None:
    done = s2s("chat", runs["respond"], stdin=b"one two three one two three\n" * 40)
    assert done.code == 0 and done.out.count("\n") == 40
    assert "trimmed 1 of 1 contexts to 20 tokens, oldest turns first" in done.err
    assert s2s("chat", runs["respond"], stdin=b"one " * 2000 + b"\n").code == 0


def test_no_input_is_lost_to_an_output(runs: dict[str, Path], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("one two\n", encoding="utf-8")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("one two\tUH N\n", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to(text)
    run = runs["translate"]
    for arguments in (
        ("translate", run, text, "-o", text),
        ("translate", run, text, "-o", tmp_path / "link.txt"),
        ("translate", run, text, "--align", text, "-o", tmp_path / "out"),
        ("translate", run, text, "--align", tmp_path / "out", "-o", tmp_path / "out"),
        ("translate", run, text, "--replace-unknown", "--dictionary", pairs, "-o", pairs),
        ("score", run, pairs, "-o", pairs),
        ("evaluate", run, "--data", pairs, "-o", pairs),
    ):
        assert "would be lost: choose another" in one_sentence(s2s(*arguments)), arguments
    assert (text.read_text(), pairs.read_text()) == ("one two\n", "one two\tUH N\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_named(runs: dict[str, Path], tmp_path: Path) -> None:
    pairs, run = runs["translate"].parent / "pairs.tsv", runs["translate"]
    for verb, given in (("translate", [pairs]), ("score", [pairs]), ("evaluate", ["--data", pairs])):
        said = one_sentence(s2s(verb, run, *given, "-o", "/dev/full"))
        assert said == "Error: /dev/full: cannot be written: No space left on device"
        said = one_sentence(s2s(verb, run, *given, "-o", tmp_path))
        assert said == f"Error: {tmp_path}: cannot be written: Is a directory"
        said = one_sentence(s2s(verb, run, *given, "-o", tmp_path / "no" / "such"))
        assert said == f"Error: {tmp_path}/no/such: cannot be written: No such file or directory"
    earlier = tmp_path / "scores"
    earlier.write_text("earlier work\n", encoding="utf-8")
    one_sentence(s2s("evaluate", run, "--data", tmp_path / "none.tsv", "-o", earlier))
    assert earlier.read_text() == "earlier work\n"
    full = Path("/dev/full/run")
    for arguments in (
        ("train", config(runs, tmp_path), "--out", full),
        ("average", run, run, "-o", full),
        ("plugins", "new", "s2s-mine", "--kind", "metric", "--into", "/dev/full"),
        ("train", config(runs, tmp_path), "--out", earlier),
        ("average", run, run, "-o", earlier),
        ("demo", "--quick", "--out", earlier),
    ):
        one_sentence(s2s(*arguments))
    assert earlier.read_text() == "earlier work\n"


def test_lines_before_a_bad_one_are_scored(runs: dict[str, Path]) -> None:
    done = s2s("score", runs["translate"], stdin=b"one two\tUH N\ntwo three\tT UW\n\xff\n")
    assert done.code == 2 and done.out.count("\n") == 2
    assert "stdin, line 3: is not valid UTF-8" in one_sentence(done)


def test_an_output_is_one_line_whatever_was_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_kit.training.curves.draw_curves", lambda *_: None)
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"source": "a", "target": "x\ny\u2028z\r\nx"}) + "\n", encoding="utf-8")
    part = {"name": "gru", "embedding_size": 8, "size": 16}
    values = {
        "task": {"name": "plain", "source_tokenizer": "char", "target_tokenizer": "char"},
        "data": {"train": [str(data)], "dev": [str(data)]},
        "model": {"encoder": part, "decoder": {**part, "attention": "luong"}},
        "training": {"max_steps": 60, "learning_rate": 0.05, "validation_examples": 0},
        "search": {"beam_size": 1, "max_length": 12},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(values), encoding="utf-8")
    assert s2s("train", tmp_path / "config.yaml", "--out", tmp_path / "run").code == 0
    assert s2s("transduce", tmp_path / "run", stdin=b"a\na\n").out == "x y z x\n" * 2
    assert json.loads(s2s("transduce", tmp_path / "run", "--json", stdin=b"a\n").out)["text"] == "x\ny\u2028z\r\nx"
