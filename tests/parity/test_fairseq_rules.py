"""``semantics="fairseq"`` on beams worked out by hand: what its published tables do not show."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions

EOS, UNK, A, B = 0, 1, 2, 3
OPTIONS = SearchOptions(
    semantics="fairseq", beam_size=2, n_best=2, bos_id=0, eos_ids=(EOS,), unk_id=UNK, numerics="reference"
)
pytestmark = pytest.mark.parametrize("by", ["reference", "engine"])


def test_an_eos_that_is_not_among_the_first_k_is_dropped(by: str) -> None:
    """Both A and EOS are among the 2K = 2 candidates, but EOS is second; though [EOS] alone would score best."""
    options = replace(OPTIONS, beam_size=1, n_best=1)
    [found] = find(by, lambda prefix: row(4, {EOS: -9.0} if prefix else {A: -0.1, EOS: -0.2}), options)
    assert found.tokens == [A, EOS]


def test_the_first_k_that_finish_stay(by: str) -> None:
    """EOS (-3) and A EOS (-1.5 each token) finish first; A A EOS, with a better mean, comes too late."""
    after = {(): {EOS: -3.0, A: -0.1}, (A,): {EOS: -2.9, A: -3.0}, (A, A): {EOS: 0.0}}
    found = find(by, lambda prefix: row(4, after[tuple(prefix)]), OPTIONS)
    assert [each.tokens for each in found] == [[A, EOS], [EOS]]
    assert [each.score for each in found] == pytest.approx([-1.5, -3.0])


def test_at_the_limit_only_eos_may_come(by: str) -> None:
    """``max_length`` words, then EOS with its own log-probability."""
    found = find(by, lambda _: row(4, {A: -0.1, EOS: -7.0}), replace(OPTIONS, beam_size=1, n_best=1, max_length=3))
    assert [(each.tokens, each.finish) for each in found] == [([A, A, A, EOS], "length")]
    assert found[0].score == pytest.approx(-7.3 / 4)


@pytest.mark.parametrize(("penalty", "expected"), [(0.0, UNK), (0.5, A), (math.inf, A)])
def test_unknown_words(by: str, penalty: float, expected: int) -> None:
    """unk (-0.1) against A (-0.3)."""
    options = replace(OPTIONS, beam_size=1, n_best=1, unk_penalty=penalty)
    [found] = find(by, lambda prefix: row(4, {EOS: 0.0} if prefix else {UNK: -0.1, A: -0.3}), options)
    assert found.tokens == [expected, EOS]


def test_a_prefix_is_scored_and_overrides_the_least_length(by: str) -> None:
    """B with its own -0.7. An EOS in the prefix ends the hypothesis, which is returned once."""
    options = replace(OPTIONS, min_length=5)

    def script(_: list[int]) -> Tensor:
        return row(4, {A: -0.2, B: -0.7, EOS: -1.0})

    found = find(by, script, options, SentenceInput(prefix=(B, EOS)))
    assert [each.tokens for each in found] == [[B, EOS]]
    assert found[0].log_prob == pytest.approx(-1.7)
    found = find(by, script, options, SentenceInput(prefix=(B,)))
    assert found[0].tokens[:5] == [B, A, A, A, A]  # five words before EOS, the prefix among them


def test_diverse_siblings(by: str) -> None:
    """Rate 1: of A A (-0.2), A B (-0.3) and B A (-0.5) the second loses 2 as the second child of A, the others 1."""
    after = {(): {A: -0.1, B: -0.2}, (A,): {A: -0.1, B: -0.2}, (B,): {A: -0.3, B: -2.0}}

    def script(prefix: list[int]) -> Tensor:
        return row(4, after.get(tuple(prefix), {EOS: 0.0}))

    plain = find(by, script, replace(OPTIONS, length_penalty=0.0))
    assert [each.tokens for each in plain] == [[A, A, EOS], [A, B, EOS]]
    diverse = find(by, script, replace(OPTIONS, length_penalty=0.0, sibling_penalty=1.0))
    assert [each.tokens for each in diverse] == [[A, A, EOS], [B, A, EOS]]
    assert [each.score for each in diverse] == pytest.approx([-2.2, -2.5])  # with 1 more for EOS, first of its parent
