"""``semantics="opennmt"`` on beams worked out by hand: scores and the stop rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions

EOS, A, B = 0, 1, 2
OPTIONS = SearchOptions(semantics="opennmt", beam_size=2, bos_id=0, eos_ids=(EOS,), numerics="reference")
pytestmark = pytest.mark.parametrize("by", ["reference", "engine"])


@pytest.mark.parametrize(
    ("alpha", "beta", "penalty"), [(1.0, 0.0, 4.0), (0.8, 5.0, 1.5**0.8), (0.0, 0.0, 1.0)], ids=["avg", "wu", "none"]
)
def test_lengths_count_bos(by: str, alpha: float, beta: float, penalty: float) -> None:
    """A A EOS are three tokens, and BOS: ``avg`` divides by 4, ``wu`` by ((5 + 4) / 6)**alpha."""
    options = replace(OPTIONS, length_penalty=alpha, length_penalty_offset=beta)
    [found] = find(by, lambda prefix: row(3, {A: -0.5} if len(prefix) < 2 else {EOS: -1.0}), options)
    assert found.score == pytest.approx(-2.0 / penalty)


def late(prefix: list[int]) -> Tensor:
    """EOS (-0.1, mean -0.05) is best at once; A EOS (-0.12, mean -0.04) comes later."""
    return row(3, {EOS: 0.0} if prefix else {EOS: -0.1, A: -0.12})


def test_n_best_changes_the_first(by: str) -> None:
    """With one wanted, the search is over when the best has ended; with two it goes on and finds a better one."""
    assert [each.tokens for each in find(by, late, OPTIONS)] == [[EOS]]
    assert [each.tokens for each in find(by, late, replace(OPTIONS, n_best=2))] == [[A, EOS], [EOS]]


def test_it_goes_on_until_the_best_has_ended(by: str) -> None:
    """[EOS] is finished at the first step, but second; A, the best, ends at the third."""
    after = {(): {A: -0.1, EOS: -0.5}, (A,): {A: -0.1, B: -3.0}, (A, A): {EOS: -0.1}}
    found = find(by, lambda prefix: row(3, after.get(tuple(prefix), {B: -1.0})), replace(OPTIONS, n_best=2))
    assert [each.tokens for each in found] == [[A, A, EOS], [EOS]]


def test_only_the_best_of_this_step_counts(by: str) -> None:
    """EOS is best at the first step, A EOS second at the second: two have finished, but A A goes on until it ends."""
    after = {(): {EOS: -0.1, A: -0.2}, (A,): {A: -0.1, EOS: -0.3}, (A, A): {EOS: -0.05}}
    options = replace(OPTIONS, n_best=2, length_penalty=0.0)
    found = find(by, lambda prefix: row(3, after[tuple(prefix)]), options)
    assert [each.tokens for each in found] == [[EOS], [A, A, EOS]]


def test_finished_ones_take_no_slot(by: str) -> None:
    """[EOS] (-0.9) has finished, and still two continuations of A go on. (With Marian's rules only A A would.)"""
    script = [{EOS: -0.9, A: -0.5}, {A: -0.1, B: -0.2}]
    options = replace(OPTIONS, n_best=2, length_penalty=0.0, max_length=2)
    found = find(by, lambda prefix: row(3, script[len(prefix)]), options)
    assert [each.tokens for each in found] == [[A, A], [A, B]]
