"""``s2s translate``: streams, n-best, JSON, and what it says to bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


def test_one_line_in_one_line_out(run_s2s, tiny_run: Path) -> None:
    done = run_s2s("translate", tiny_run, input="one two\nseven three\n\nten\n")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert lines[:2] == ["un deux", "sept trois"]
    assert len(lines) == 5 and lines[-1] == ""  # the empty sentence has its line too
    assert "\r" not in done.stderr and "Traceback" not in done.stderr  # no progress bar in a pipe


def test_file_in_file_out_equals_stdin(run_s2s, tiny_run: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes(b"one two\r\nsix\n")
    done = run_s2s("translate", tiny_run, source, "--output", tmp_path / "out.txt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / "out.txt").read_text() == run_s2s("translate", tiny_run, input="one two\nsix\n").stdout


def test_nbest_is_best_first_and_indexed(run_s2s, tiny_run: Path) -> None:
    done = run_s2s("translate", tiny_run, "--n-best", 3, "--beam-size", 3, input="one two\nten\n")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["0", "0", "0", "1", "1", "1"]
    scores = [float(row[1]) for row in rows[:3]]
    assert scores == sorted(scores, reverse=True)
    assert rows[0][2] == "un deux"


def test_json_holds_scores_that_add_up(run_s2s, tiny_run: Path) -> None:
    done = run_s2s(
        "translate", tiny_run, "--json", "--attention", "--n-best", 2, "--length-penalty", 1, input="one two\n"
    )
    record = json.loads(done.stdout)
    assert record["text"] == "un deux"
    assert len(record["token_scores"]) == len(record["tokens"]) + 1  # EOS too
    mean = sum(record["token_scores"]) / len(record["token_scores"])
    assert record["score"] == pytest.approx(mean, abs=1e-5)
    assert len(record["alternatives"]) == 1
    assert len(record["attention"]) == len(record["token_scores"])
    assert all(sum(row) == pytest.approx(1, abs=1e-2) for row in record["attention"])


def test_greedy_and_beam_options_reach_the_search(run_s2s, tiny_run: Path) -> None:
    done = run_s2s("translate", tiny_run, "--beam-size", 1, "--max-length", 1, input="one two\n")
    assert done.stdout == "un\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["--beam-size", "0"], b"one\n", "beam_size"),
        (["--n-best", "9"], b"one\n", "n_best"),
        (["--device", "warp9"], b"one\n", "warp9"),
        (["--on-error", "maybe"], b"one\n", "maybe"),
        (["--max-source-length", "10"], b"one two three four\n", "line 1"),
        ([], b"one\n\xff\xfe\n", "line 2"),
        (["--beam", "3"], b"one\n", "--beam-size"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    run_s2s, tiny_run: Path, arguments, stdin: bytes, message: str
) -> None:
    done = run_s2s("translate", tiny_run, *arguments, input=stdin, text=False, encoding=None)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_bad_lines_can_be_skipped_in_their_place(run_s2s, tiny_run: Path) -> None:
    done = run_s2s(
        "translate", tiny_run, "--on-error", "skip", input=b"one two\n\xff\nsix\n", text=False, encoding=None
    )
    assert done.returncode == 0
    lines = done.stdout.decode().split("\n")
    assert lines[0] == "un deux" and len(lines) == 4
    assert "line 2" in done.stderr.decode()


def test_a_wish_that_cannot_be_met_is_a_bad_line(run_s2s, tiny_run: Path) -> None:
    bad = [{"source": "two one", "prefix": "zwei"}, {"source": "six one", "banned": "x"}]
    records = [{"source": "one two"}, *bad, {"source": "ten two"}]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    stopped = run_s2s("translate", tiny_run, "--jsonl", input=lines)
    assert (stopped.returncode, stopped.stdout) == (2, "un deux\n")
    assert "line 2: prefix has 'zwei': the target vocabulary lacks a word of it" in stopped.stderr
    done = run_s2s("translate", tiny_run, "--jsonl", "--skip-bad", input=lines)
    assert (done.returncode, done.stdout) == (0, "un deux\n\n\ndix deux\n")
    assert "line 3: banned = 'x': must be a list of texts" in done.stderr


def test_lines_before_a_bad_one_are_not_lost(run_s2s, tiny_run: Path) -> None:
    done = run_s2s("translate", tiny_run, input=b"one two\nsix two\n\xff\n", text=False, encoding=None)
    assert done.returncode == 2
    assert done.stdout.decode().split("\n")[:2] == ["un deux", "six deux"]


@pytest.mark.parametrize("name", ["checkpoint.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_a_damaged_run_is_named(run_s2s, tiny_run: Path, tmp_path: Path, name: str, damage: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    file = run / name
    content = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) * 3 // 4] ^= 1
        file.write_bytes(content)
    done = run_s2s("translate", run, input="one\n")
    assert done.returncode == 2, done.stdout
    assert name in done.stderr and "Traceback" not in done.stderr


def test_a_folder_that_is_no_run(run_s2s, tmp_path: Path) -> None:
    done = run_s2s("translate", tmp_path / "nowhere", input="one\n")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
