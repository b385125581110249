"""Several lines of one source are one example with several references."""

from __future__ import annotations

from seq2seq_kit.data.references import with_references
from seq2seq_kit.interfaces import Example


def test_targets_of_one_source_are_its_references_in_order() -> None:
    examples = [Example("a", "x"), Example("b", "y"), Example("a", "z"), Example("a", "x")]
    grouped = with_references(examples)
    assert [(e.source, e.references) for e in grouped] == [("a", ["x", "z"]), ("b", ["y"])]


def test_given_references_are_kept() -> None:
    [example] = with_references([Example("a", "x", ["w", "x"])])
    assert example.references == ["x", "w"]


def test_each_line_may_stand_alone() -> None:
    examples = [Example("a", "x", id=1), Example("a", "z", ["w"], id=2)]
    alone = with_references(examples, by_source=False)
    assert [(e.id, e.target, e.references) for e in alone] == [(1, "x", ["x"]), (2, "z", ["z", "w"])]
    assert with_references(alone, by_source=False) == alone
    assert examples[0].references == []
