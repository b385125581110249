"""A golden run folder: decoded again it gives what was recorded, or says what is different."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seq2seq_kit import UserError
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.sealed import read_json, write_json
from seq2seq_kit.testing import ContractError, check_golden, record_golden

SOURCES = ["one two", "seven three", "nine"]


@pytest.fixture(scope="module")
def golden(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "numbers"
    record_golden(tiny_run, folder, SOURCES)
    return folder


def test_a_recorded_run_gives_the_same_outputs(golden: Path) -> None:
    report = check_golden(golden)
    assert [finding.check for finding in report.findings] == ['"one two"', '"seven three"', '"nine"']
    assert not report.faults
    assert sorted(path.name for path in golden.iterdir()) == [
        "checkpoint.json",
        "golden.json",
        "model.safetensors",
        "tokenizers",
    ]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("text", "un trois", "\"one two\": output 1 is 'un deux', and was 'un trois'"),
        ("score", -9.0, '"one two": output 1 has the score -[\\d.e-]+, and had -9'),
    ],
)
def test_another_output_is_named(golden: Path, tmp_path: Path, field: str, value: object, sentence: str) -> None:
    other = tmp_path / "other"
    shutil.copytree(golden, other)
    recorded = read_json(other / "golden.json")
    recorded["outputs"][0]["n_best"][0][field] = value
    write_json(other / "golden.json", recorded)
    with pytest.raises(ContractError, match=sentence) as caught:
        check_golden(other)
    assert len(caught.value.report.faults) == 1


def test_what_cannot_be_recorded_or_checked_gets_a_sentence(golden: Path, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not empty; a recording is not written over"):
        record_golden(tiny_run, golden, SOURCES)
    with pytest.raises(UserError, match="nothing to decode"):
        record_golden(tiny_run, tmp_path / "new", "one two")
    with pytest.raises(UserError, match=r"holds no golden.json, which record_golden writes"):
        check_golden(tiny_run)
    with pytest.raises(CheckpointError, match="there is no such run folder"):
        record_golden(tmp_path / "nowhere", tmp_path / "new", SOURCES)
    assert not (tmp_path / "new").exists()
