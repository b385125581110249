"""The task ``pronunciation``: dictionaries, several pronunciations, ``s2s pronounce``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit import load
from seq2seq_kit.config import validate
from seq2seq_kit.data.references import with_references
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.pronunciation import Pronunciation, PronunciationConfig

DICTIONARY = """\
;;; # CMUdict -- comments begin like this
READ  R EH1 D
READ(1)  R IY1 D

reading\tR IY1 D IH0 NG
aalborg AO1 L B AO0 R G # place, danish
'TIS  T IH1 Z
"""
CONFIG = """\
seed: 1
task: pronunciation
data: {train: [%(data)s], dev: [%(data)s]}
model:
  encoder: {name: gru, embedding_size: 24, size: 32, bidirectional: true}
  decoder: {name: gru, embedding_size: 24, size: 32, attention: luong}
training: {max_steps: 150, batch_tokens: 400, learning_rate: 0.02, validate_every: 150, validation_examples: 5}
search: {beam_size: 4, max_length: 20}
"""


def make(**section: Any) -> Pronunciation:
    return Pronunciation(validate(PronunciationConfig, section, "test"))


@pytest.fixture
def dictionary(tmp_path: Path) -> str:
    path = tmp_path / "cmudict-0.7b"
    path.write_text(DICTIONARY, encoding="utf-8")
    return str(path)


def test_dictionaries_are_read_as_they_are_published(dictionary: str) -> None:
    entries = [(e.source, e.target) for e in make().read([dictionary])]
    assert entries == [
        ("READ", "R EH1 D"),
        ("READ", "R IY1 D"),
        ("reading", "R IY1 D IH0 NG"),
        ("aalborg", "AO1 L B AO0 R G"),
        ("'TIS", "T IH1 Z"),
    ]
    assert [e.target for e in make(stress=False).read([dictionary])][:3] == ["R EH D", "R IY D", "R IY D IH NG"]


def test_all_pronunciations_of_a_word_are_references(dictionary: str, tmp_path: Path) -> None:
    grouped = with_references(make().read([dictionary]))
    assert (grouped[0].source, grouped[0].references) == ("READ", ["R EH1 D", "R IY1 D"])
    record = {"word": "READ", "pronunciation": ["R", "EH1", "D"], "references": ["R IY1 D"]}
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert with_references(make().read([str(file)]))[0].references == ["R EH1 D", "R IY1 D"]


def test_a_word_without_phonemes_is_named(tmp_path: Path) -> None:
    file = tmp_path / "dict.txt"
    file.write_text("A AH0\nWORD\nB B IY1\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: must be a word and its phonemes"):
        list(make().read([str(file)]))
    assert [e.source for e in make().read([str(file)], "skip")] == ["A", "B"]


def test_case_does_not_matter() -> None:
    task = make()
    task.prepare([Example("READ", "R IY D")])
    upper, lower = task.encode([Example("READ"), task.example(" read ")])
    assert upper.source == lower.source and 3 not in lower.source


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, run_s2s: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("pronunciation")
    words = {
        a + b: f"{x} {y}" for a, x in zip("bdgk", "BDGK", strict=True) for b, y in zip("aeiou", "AEIOU", strict=True)
    }
    data = folder / "words.dict"
    data.write_text("".join(f"{word}  {said}\n" for word, said in words.items()) + "ba(1)  B O\n", encoding="utf-8")
    config = folder / "config.yaml"
    config.write_text(CONFIG % {"data": data}, encoding="utf-8")
    done = run_s2s("train", config, "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_the_verb_the_n_best_and_the_rates(run: Path, run_s2s: Callable[..., Any]) -> None:
    done = run_s2s("pronounce", run, "--n-best", 2, input="GU\nki\n")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["0", "0", "1", "1"], done.stderr
    assert (rows[0][2], rows[2][2]) == ("G U", "K I")
    report = json.loads(run_s2s("evaluate", run, "--data", run.parent / "words.dict", "--json").stdout)
    assert report["examples"] == 20 and set(report["metrics"]) == {"ser", "per"}
    assert report["metrics"]["ser"] <= 10 and report["metrics"]["per"] <= 5


def test_the_pipeline_has_the_verb_and_another_has_not(run: Path, run_s2s: Callable[..., Any]) -> None:
    pipeline = load(run)
    assert [output.text for output in pipeline.pronounce(["du", {"word": "KO"}])] == ["D U", "K O"]
    with pytest.raises(DataError, match=r"source 1 \(from 0\) has no field 'word'"):
        pipeline.pronounce(["du", {"wort": "KO"}])
    refused = run_s2s("transduce", run, input="du\n")
    assert refused.returncode == 2 and "use s2s pronounce" in refused.stderr
