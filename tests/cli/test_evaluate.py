"""``s2s evaluate``: the table, JSON, several references, bad files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_scores_as_json(run_s2s, tiny_run: Path, tiny_data: Path) -> None:
    done = run_s2s("evaluate", tiny_run, "--data", tiny_data, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert 0 <= report["metrics"]["bleu"] <= 100  # three words have no 4-gram: BLEU says nothing here
    assert report["metrics"]["chrf"] > 80
    assert "|version:" in report["signatures"]["bleu"]
    assert report["examples"] > 100


def test_the_table_shows_outputs_beside_references(run_s2s, tiny_run: Path, tiny_data: Path, tmp_path: Path) -> None:
    done = run_s2s("evaluate", tiny_run, "--data", tiny_data, "--show", 2, "-o", tmp_path / "out.txt")
    assert done.returncode == 0, done.stderr
    assert "chrf" in done.stdout and "reference" in done.stdout
    assert (tmp_path / "out.txt").read_text().count("\n") > 100


def test_several_targets_of_a_source_are_references(run_s2s, tiny_run: Path, tmp_path: Path) -> None:
    data = tmp_path / "refs.tsv"
    data.write_text("one two\twrong words here\none two\tun deux\n", encoding="utf-8")
    report = json.loads(run_s2s("evaluate", tiny_run, "--data", data, "--json").stdout)
    assert report["examples"] == 1
    assert report["metrics"]["chrf"] == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"one two\n", "line 1"), (b"one\tun\n\xff\tun\n", "line 2")],
)
def test_bad_data_is_named(run_s2s, tiny_run: Path, tmp_path: Path, content: bytes, message: str) -> None:
    data = tmp_path / "bad.tsv"
    data.write_bytes(content)
    done = run_s2s("evaluate", tiny_run, "--data", data)
    assert done.returncode == 2
    assert message in done.stderr and "bad.tsv" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_report_is_a_page_and_changes_no_score(run_s2s, tiny_run: Path, tiny_data: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run_s2s("evaluate", tiny_run, "--data", tiny_data, "--json", "--report", page)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith(f"{page}: written\n")
    text = page.read_text(encoding="utf-8")
    report = json.loads(done.stdout)
    assert f"<strong>{report['metrics']['chrf']:.2f}</strong>" in text
    assert f"{report['examples']} with " in text and "Other hypotheses (2)" in text and "data-key=" in text
    without = json.loads(run_s2s("evaluate", tiny_run, "--data", tiny_data, "--json").stdout)
    assert without["metrics"] == report["metrics"]


def test_a_report_that_cannot_be_written_is_refused_first(run_s2s, tmp_path: Path) -> None:
    done = run_s2s("evaluate", tmp_path / "no-run", "--data", "x.tsv", "--report", tmp_path / "none" / "page.html")
    assert done.returncode == 2
    assert "page.html: cannot be written: No such file or directory" in done.stderr
