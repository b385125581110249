"""Minimum-Bayes-risk selection picks what the other candidates agree with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from seq2seq_kit import Component, ComponentConfig, Metric, register
from seq2seq_kit.decoding.mbr import expected_utilities, select, utility
from seq2seq_kit.errors import UserError

CANDIDATES = ["a dog runs fast", "the dog runs fast", "the dog runs", "nothing at all"]


def test_any_metric_is_a_utility() -> None:
    assert expected_utilities(["x", "x", "y"], utility("exact")) == [50, 50, 0]

    class Distance(Metric):
        higher_is_better = False

        def __init__(self, config: ComponentConfig) -> None:
            pass

        def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
            return abs(len(outputs[0]) - len(references[0][0]))

    register(Component("metric", "distance", Distance))
    assert select(["aaaaaa", "aaa", "aa", "a"], utility("distance")) == 1


@pytest.mark.parametrize("name", ["chrf", "bleu"])
def test_the_odd_one_out_is_never_selected(name: str) -> None:
    expected = expected_utilities(CANDIDATES, utility(name))
    assert min(expected) == expected[3]
    assert select(CANDIDATES, utility(name)) == expected.index(max(expected)) == 1


def test_expected_utility_is_the_weighted_mean_over_the_others() -> None:
    def same_first_letter(one: str, other: str) -> float:
        return float(one[0] == other[0])

    assert expected_utilities(["ax", "ay", "b"], same_first_letter) == [0.5, 0.5, 0.0]
    weighted = expected_utilities(["ax", "ay", "b"], same_first_letter, log_probs=[0.0, -1e9, 0.0])
    assert weighted == [0.0, 0.5, 0.0]
    assert select(["b", "ax", "ay"], same_first_letter) == 1  # among equals, the first
    assert expected_utilities(["alone"], same_first_letter) == [0.0]


def test_mistakes_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"unknown metric 'unheard_of' \(there is: bleu, cer, "):
        utility("unheard_of")
    with pytest.raises(UserError, match="no candidate"):
        select([], utility("chrf"))
    with pytest.raises(UserError, match="2 candidates, but 1 log-probabilities"):
        expected_utilities(["a", "b"], utility("chrf"), log_probs=[0.0])
