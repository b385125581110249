"""``semantics="joey"`` by JoeyNMT's formulas, on beams worked out by hand."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions

EOS, A, B = 0, 1, 2
OPTIONS = SearchOptions(
    semantics="joey",
    beam_size=2,
    n_best=2,
    length_penalty=0.0,
    length_penalty_offset=5.0,
    bos_id=0,
    eos_ids=(EOS,),
    numerics="reference",
)
pytestmark = pytest.mark.parametrize("by", ["reference", "engine"])


def test_score(by: str) -> None:
    """sum / ((5 + n) / 6)**alpha, EOS counted: -2 / (7 / 6)."""
    [found] = find(
        by,
        lambda prefix: row(3, {EOS: -1.0} if prefix else {A: -1.0}),
        replace(OPTIONS, beam_size=1, n_best=1, length_penalty=1.0),
    )
    assert found.tokens == [A, EOS]
    assert found.score == pytest.approx(-12 / 7)


def places(prefix: list[int]) -> Tensor:
    """A (-0.5) or EOS (-1); after EOS JoeyNMT writes on; A A goes on to EOS."""
    after = {
        (): {A: -0.5, EOS: -1.0},
        (A,): {A: -0.5, EOS: -2.0},
        (EOS,): {A: -0.1},
        (A, A): {EOS: -0.05},
        (EOS, A): {A: -0.1, EOS: -0.3},
    }
    return row(3, after[tuple(prefix)])


def test_what_has_ended_still_takes_a_place(by: str) -> None:
    """Place by place: A -0.5 and EOS -1 (place 2 is done); A A -1 and EOS A -1.1, which keeps A EOS (-2.5) out;
    A A EOS -1.05 (place 1 is done). What comes after an EOS is never returned."""
    found = find(by, places, OPTIONS)
    assert [each.tokens for each in found] == [[EOS], [A, A, EOS]]
    assert [each.score for each in found] == pytest.approx([-1.0, -1.05])


def test_a_place_not_a_hypothesis_is_done(by: str) -> None:
    """B ends at the second step in place 2, then A B in place 1: although A A goes on, the search is over."""
    seen = []

    def script(prefix: list[int]) -> Tensor:
        seen.append(len(prefix))
        after = {
            (): {A: -0.1, B: -0.5},
            (A,): {A: -0.2, B: -9.0},
            (B,): {EOS: -0.1},
            (A, A): {EOS: -0.3, A: -0.4},
            (B, EOS): {EOS: -9.0},
        }
        return row(3, after[tuple(prefix)])

    found = find(by, script, OPTIONS)
    # Step 2: A A -0.3, B EOS -0.6. Step 3: A A EOS -0.6, A A A -0.7: places 1 and 2 have each seen an end.
    assert [each.tokens for each in found] == [[B, EOS], [A, A, EOS]]
    assert max(seen) == 2


def test_the_limit_counts_eos_and_cuts(by: str) -> None:
    options = replace(OPTIONS, max_length=2)
    found = find(by, lambda _: row(3, {A: -0.1, B: -0.3, EOS: -5.0}), options)
    assert [(each.tokens, each.finish) for each in found] == [([A, A], "length"), ([A, B], "length")]


def test_what_ended_is_not_cut_at_the_limit_again(by: str) -> None:
    found = find(by, places, replace(OPTIONS, max_length=2))
    assert [(each.tokens, each.finish) for each in found] == [([EOS], "eos"), ([A, A], "length")]


def test_least_length(by: str) -> None:
    """``min_length`` words before the first EOS."""
    options = replace(OPTIONS, min_length=2, n_best=1)
    [found] = find(by, lambda _: row(3, {EOS: -0.1, A: -1.0, B: -1.5}), options)
    assert found.tokens == [A, A, EOS]


def test_out_of_time_what_has_ended_is_not_given_twice(by: str) -> None:
    if by == "reference":
        pytest.skip("the reference search knows no time")
    options = replace(OPTIONS, beam_size=3, n_best=3, max_seconds=0.01)

    def script(prefix: list[int]) -> Tensor:
        time.sleep(0.02)
        return row(3, {A: -0.5, B: -1.0, EOS: -0.4})

    found = find(by, script, options)
    assert [(each.tokens, each.finish) for each in found] == [([EOS], "eos"), ([A], "deadline"), ([B], "deadline")]
