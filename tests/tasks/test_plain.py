"""The task ``plain``: any sequence to any other, structured fields in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.config import validate
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import ConfigError, DataError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.plain import Plain, PlainConfig

RECORDS = [
    {"lemma": "geh en", "features": ["V", "PST", "3"], "form": "ging", "class": 7},
    {"lemma": "Haus", "features": ["N", "PL"], "form": "Häuser", "class": "s"},
]


def make(**section: Any) -> Plain:
    return Plain(validate(PlainConfig, section, "test"))


def write(path: Path, records: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def test_tokens_are_what_white_space_separates(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("jump left\tI_TURN_LEFT I_JUMP\n", encoding="utf-8")
    task = make()
    examples = list(task.read([str(file)]))
    task.prepare(examples)
    assert [(e.source, e.target, e.id) for e in examples] == [("jump left", "I_TURN_LEFT I_JUMP", 1)]
    [ids] = task.target_tokenizer.encode(["I_JUMP I_TURN_LEFT"])
    assert task.target_tokenizer.tokens(ids) == ["I_JUMP", "I_TURN_LEFT"]
    assert list(task.metrics()) == ["exact", "edit_distance"]


def test_fields_are_joined_in_their_order(tmp_path: Path) -> None:
    task = make(source_fields=["features", "lemma"], target_field="form", extra_fields=["class"])
    first, second = task.read([write(tmp_path / "a.jsonl", RECORDS)])
    assert (first.source, first.target, first.extras) == ("V PST 3 | geh en", "ging", {"class": 7})
    assert (second.source, second.id) == ("N PL | Haus", 2)
    assert task.example({"lemma": "x", "features": []}).source == " | x"


def test_a_record_to_be_decoded_needs_no_target() -> None:
    task = make(source_fields=["lemma", "class"], target_fields=["form", "features"])
    assert task.example({"lemma": "a", "class": 2.5}) == Example("a | 2.5")
    assert task.example("a | b") == Example("a | b")
    given = {"lemma": "a", "class": True, "form": "b", "features": "N", "references": ["c | N"]}
    assert task.example(given) == Example("a | true", "b | N", ["c | N"])


def test_outputs_come_in_fields() -> None:
    task = make(target_fields=["form", "features"])
    task.prepare([Example("a", "b | N PL")])

    def decoded(text: str) -> dict[str, Any]:
        [ids] = task.target_tokenizer.encode([text])
        return task.decode(Example("a"), [Hypothesis([*ids, 2], 0.0, 0.0, [0.0] * (len(ids) + 1))]).facts

    assert decoded("b | N PL") == {"fields": {"form": "b", "features": "N PL"}}
    assert decoded("b N PL") == {}  # one field for two: nothing is made up


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"features": "N"}, "has no field 'lemma'"),
        ({"lemma": {"a": 1}, "features": "N", "form": "x"}, "its 'lemma' must be text, a number or a list of them"),
        ({"lemma": None, "features": "N", "form": "x"}, "its 'lemma' must be text"),
        ({"lemma": "a", "features": "N"}, "has an empty target"),
        ({"lemma": "a", "features": "N", "form": "x", "references": "y"}, "its 'references' must be a list"),
    ],
)
def test_a_bad_record_is_named_with_its_line(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    task = make(source_fields=["features", "lemma"], target_field="form")
    path = write(tmp_path / "a.jsonl", [RECORDS[0], record])
    with pytest.raises(DataError, match=f"line 2: {message}"):
        list(task.read([path]))
    reader = task.read([path], "skip")
    assert len(list(reader)) == 1 and reader.report.skipped.total() == 1


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ConfigError, match="leave reverse out"):
        make(source_fields=["a"], reverse=True)


def test_the_other_way_round(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("1 + 1\t2\n", encoding="utf-8")
    [example] = make(reverse=True).read([str(file)])
    assert (example.source, example.target) == ("2", "1 + 1")
