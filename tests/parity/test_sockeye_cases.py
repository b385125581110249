"""``semantics="sockeye"`` on Sockeye's own figures: its penalties, and what a finished hypothesis may do."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions

FILE = Path(__file__).parents[3] / "shared" / "cases" / "sockeye_penalties.json"
if not FILE.is_file():
    pytest.skip(f"{FILE} is not there", allow_module_level=True)
CASES = json.loads(FILE.read_text())
EOS, WORD, OTHER = 0, 1, 2


def only_hypothesis(by: str, length: int, log_prob: float, source_length: int = 0, **given: Any) -> Hypothesis:
    """A search in which one hypothesis of this length and sum is possible."""

    def script(prefix: list[int]) -> Tensor:
        return row(3, {EOS: log_prob} if len(prefix) == length - 1 else {WORD: 0.0})

    options = SearchOptions(semantics="sockeye", bos_id=0, eos_ids=(EOS,), numerics="reference", **given)
    [found] = find(by, script, options, SentenceInput(source_length))
    assert len(found.tokens) == length
    return found


@pytest.mark.parametrize("by", ["reference", "engine"])
@pytest.mark.parametrize("case", CASES["length_penalty"])
def test_length_penalty(case: dict[str, Any], by: str) -> None:
    for length, expected in zip(case["lengths"], case["expected"], strict=True):
        found = only_hypothesis(by, length, -1.0, length_penalty=case["alpha"], length_penalty_offset=case["beta"])
        assert -1 / found.score == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("by", ["reference", "engine"])
@pytest.mark.parametrize("case", CASES["brevity_penalty"])
def test_brevity_penalty(case: dict[str, Any], by: str) -> None:
    for length, reference, expected in zip(case["hyp"], case["ref"], case["expected"], strict=True):
        found = only_hypothesis(by, length, 0.0, reference, length_penalty=0.0, brevity_penalty=case["weight"])
        assert found.score == pytest.approx(expected, rel=1e-12)


def ends_at_once_or_goes_on(prefix: list[int]) -> Tensor:
    """EOS at once (-1), or a word that goes on for ever at -0.4 a token, with an OTHER word beside it at -0.6."""
    return row(3, {EOS: -1.0 if not prefix else -9.0, WORD: -0.4, OTHER: -0.6})


@pytest.mark.parametrize("by", ["reference", "engine"])
def test_a_finished_hypothesis_goes_on_at_no_cost(by: str) -> None:
    """It keeps its place and its score, and its length does not grow, however long the others are."""
    options = SearchOptions(
        semantics="sockeye", beam_size=3, n_best=3, max_length=6, bos_id=0, eos_ids=(EOS,), numerics="reference"
    )
    found = find(by, ends_at_once_or_goes_on, options)
    assert found[0].tokens == [EOS] and found[0].score == -1.0 and found[0].finish == "eos"
    # The others were forced to end: the limit of 6 words, then only EOS, at its own -9.
    assert [each.tokens for each in found[1:]] == [[WORD] * 6 + [EOS], [WORD] * 5 + [OTHER, EOS]]
    assert [each.finish for each in found[1:]] == ["length", "length"]
    assert found[1].score == pytest.approx((6 * -0.4 - 9) / 7, rel=1e-6)


@pytest.mark.parametrize("by", ["reference", "engine"])
def test_a_finished_hypothesis_can_lose_its_place(by: str) -> None:
    """With two places, the finished one (-1) is worse than two continuations of the other, and is lost."""

    def script(prefix: list[int]) -> Tensor:
        if not prefix:
            return row(3, {EOS: -1.0, WORD: -0.4})
        return row(3, [{WORD: -0.1, OTHER: -0.2}, {WORD: -0.1}, {EOS: -0.1}][len(prefix) - 1])

    options = SearchOptions(semantics="sockeye", beam_size=2, n_best=2, bos_id=0, eos_ids=(EOS,), numerics="reference")
    found = find(by, script, options)
    assert [each.tokens for each in found] == [[WORD, WORD, WORD, EOS], [WORD, OTHER, WORD, EOS]]


@pytest.mark.parametrize("by", ["reference", "engine"])
def test_stop(by: str) -> None:
    options = SearchOptions(
        semantics="sockeye", beam_size=2, n_best=2, max_length=9, bos_id=0, eos_ids=(EOS,), numerics="reference"
    )
    seen = {}
    for stop in ("first", "all"):
        steps = []

        def script(prefix: list[int], steps: list[int] = steps) -> Tensor:
            steps.append(len(prefix))
            return row(2, {EOS: math.log(0.5), WORD: math.log(0.5)})

        found = find(by, script, replace(options, stop=stop))
        seen[stop] = (max(steps) + 1, len(found))
    assert seen == {"first": (1, 1), "all": (2, 2)}
