"""``semantics="marian"`` by Marian's formulas, on beams worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions

EOS, A, B = 0, 1, 2
OPTIONS = SearchOptions(
    semantics="marian", beam_size=2, n_best=2, length_penalty=0.0, bos_id=0, eos_ids=(EOS,), numerics="reference"
)
pytestmark = pytest.mark.parametrize("by", ["reference", "engine"])


def test_score(by: str) -> None:
    """(sum - word penalty * n) / n**alpha, EOS counted: (-3 - 0.5 * 3) / 3**0.6."""
    options = replace(OPTIONS, word_penalty=0.5, length_penalty=0.6)
    [found] = find(by, lambda prefix: row(3, {A: -1.0} if len(prefix) < 2 else {EOS: -1.0}), options)
    assert (found.tokens, found.log_prob) == ([A, A, EOS], -3.0)
    assert found.score == pytest.approx(-4.5 / 1.9331820449317627)


def shrinking(prefix: list[int]) -> Tensor:
    """First EOS (-0.5), A (-0.6) or B (-0.7); then A (-0.1) or B (-0.2); then EOS (-0.3)."""
    return row(3, [{EOS: -0.5, A: -0.6, B: -0.7}, {A: -0.1, B: -0.2}, {EOS: -0.3}][len(prefix)])


def test_what_finishes_takes_its_slot_away(by: str) -> None:
    """Two slots: EOS takes one at the first step, so that of A A and A B only the better goes on."""
    found = find(by, shrinking, OPTIONS)
    assert [each.tokens for each in found] == [[EOS], [A, A, EOS]]
    assert [each.score for each in found] == pytest.approx([-0.5, -1.0])


def test_three_slots(by: str) -> None:
    """EOS, A and B at the first step; of A A (-0.7), A B (-0.8), B A (-0.8) and B B (-0.9) the two best, by slot."""
    found = find(by, shrinking, replace(OPTIONS, beam_size=3, n_best=3))
    assert [each.tokens for each in found] == [[EOS], [A, A, EOS], [A, B, EOS]]


def test_the_limit_counts_eos_and_cuts(by: str) -> None:
    """1.5 times a source of 2 tokens: what has 3 tokens is finished as it is."""
    options = replace(OPTIONS, max_length_ratio=1.5, max_length_margin=0)
    found = find(by, lambda _: row(3, {A: -0.1, B: -0.3, EOS: -5.0}), options, SentenceInput(source_length=2))
    assert [(each.tokens, each.finish) for each in found] == [([A, A, A], "length"), ([A, A, B], "length")]


def test_all_that_finished_are_ranked(by: str) -> None:
    """EOS (-1) before A EOS (-1.2), but not when they are divided by n**2: -1 against -0.3."""

    def script(prefix: list[int]) -> Tensor:
        return row(3, {EOS: -1.0} if prefix else {EOS: -1.0, A: -0.2})

    assert [each.tokens for each in find(by, script, OPTIONS)] == [[EOS], [A, EOS]]
    found = find(by, script, replace(OPTIONS, length_penalty=2.0))
    assert [each.tokens for each in found] == [[A, EOS], [EOS]]
    assert found[0].score == pytest.approx(-0.3)


def test_a_forced_prefix_takes_no_slot_away(by: str) -> None:
    found = find(by, lambda prefix: shrinking(prefix[1:]), OPTIONS, SentenceInput(prefix=(B,)))
    # B is forced with its own -0.7; then it is as without a prefix.
    assert [each.tokens for each in found] == [[B, EOS], [B, A, A, EOS]]
    assert [each.score for each in found] == pytest.approx([-1.2, -1.7])
