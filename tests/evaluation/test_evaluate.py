"""Grouping of references."""

from __future__ import annotations

from seq2seq_kit.evaluation.evaluate import group_references
from seq2seq_kit.interfaces import Example


def test_targets_of_one_source_are_its_references_in_order() -> None:
    examples = [Example("a", "x"), Example("b", "y"), Example("a", "z"), Example("a", "x")]
    grouped = group_references(examples)
    assert [(e.source, e.references) for e in grouped] == [("a", ["x", "z"]), ("b", ["y"])]


def test_given_references_are_kept() -> None:
    [example] = group_references([Example("a", "x", ["w", "x"])])
    assert example.references == ["x", "w"]
