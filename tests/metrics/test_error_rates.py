"""Error rates count edits to the nearest reference; less is better."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

import jiwer
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.config import validate
from seq2seq_kit.decoding.mbr import utility
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.registry import build, registry


def make(name: str, **options: Any) -> Metric:
    config_class = registry().find("metric", name).component.load_config()
    metric: Metric = build("metric", validate(config_class, {"name": name, **options}, "test"))
    return metric


def levenshtein(a: list[str] | str, b: list[str] | str) -> int:
    """The textbook's table."""
    table = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i, j in product(range(1, len(a) + 1), range(1, len(b) + 1)):
        change = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, change)
    return table[len(a), len(b)]


@pytest.mark.parametrize("name", ["wer", "cer", "per", "ter", "edit_distance"])
def test_perfect_is_0_and_less_is_better(name: str) -> None:
    metric = make(name)
    assert not metric.higher_is_better
    assert metric(["a b", "c"], [["a b"], ["x", "c"]]) == 0
    assert metric(["a b", "c"], [["a b"], ["x"]]) > 0
    assert utility(name)("a b", "a b") > utility(name)("a x", "a b")


def test_one_reference_each_is_jiwers() -> None:
    outputs, references = ["a b c d", "", "x y"], ["a c d e", "w", "x y"]
    each = [[reference] for reference in references]
    assert make("wer")(outputs, each) == pytest.approx(100 * jiwer.wer(references, outputs))
    assert make("per")(outputs, each) == make("wer")(outputs, each)
    assert make("cer")(outputs, each) == pytest.approx(100 * jiwer.cer(references, outputs))


words = st.lists(st.sampled_from("ab"), max_size=4).map(" ".join)


@given(st.lists(st.tuples(words, st.lists(words, min_size=1, max_size=3)), min_size=1, max_size=4))
@settings(max_examples=60)
def test_of_several_references_the_nearest_counts(cases: list[tuple[str, list[str]]]) -> None:
    outputs, references = [output for output, _ in cases], [accepted for _, accepted in cases]
    for name, cut in {"wer": str.split, "cer": str}.items():
        nearest = [
            min((levenshtein(cut(output), cut(r)), -len(cut(r))) for r in accepted) for output, accepted in cases
        ]
        edits, length = sum(e for e, _ in nearest), -sum(n for _, n in nearest)
        assert make(name)(outputs, references) == pytest.approx(100 * edits / max(1, length))
    unit = make("edit_distance", unit="word")(outputs, references)
    assert unit == pytest.approx(sum(min(levenshtein(o.split(), r.split()) for r in a) for o, a in cases) / len(cases))


def test_among_equally_near_references_the_longest_counts() -> None:
    assert make("per")(["B AH T"], [["B AH", "B AH T ER"]]) == pytest.approx(100 / 4)


def test_white_space_accents_and_case() -> None:
    assert make("wer")([" a \t b\n"], [["a b"]]) == 0
    assert make("cer")(["caf\u00e9"], [["cafe\u0301"]]) == 0
    assert make("wer")(["A b"], [["a b"]]) == 50
    assert make("wer", lowercase=True)(["A b"], [["a b"]]) == 0
    assert make("edit_distance")(["kitten"], [["sitting"]]) == 3
    assert make("edit_distance", unit="word")(["kitten"], [["sitting"]]) == 1


def test_ter_is_sacrebleus() -> None:
    outputs, streams = ["the cat sat on the mat", "a dog"], [["on the mat the cat sat", "dogs"], ["the cat", "a dog"]]
    references = [[stream[i] for stream in streams] for i in (0, 1)]
    assert make("ter")(outputs, references) == sacrebleu.corpus_ter(outputs, streams).score
    assert make("ter")(["A dog !"], [["a dog ."]]) == pytest.approx(100 / 3)
    assert make("ter", lowercase=False, no_punctuation=True)(["A dog !"], [["a dog ."]]) == pytest.approx(50)


def test_without_jiwer_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(ConfigError, match=r"the metric 'wer' needs the package jiwer: pip install 'seq2seq_kit\[met"):
        make("wer")
