"""Several models are searched as one."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import search_options
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.ensemble import Ensemble, Member
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState
from seq2seq_kit.testing.reference_search import reference_search


def tables(count: int, vocab: int = 20, batch: int = 3) -> list[TableStep]:
    generator = torch.Generator().manual_seed(count)
    return [TableStep(torch.randn(batch, 61 + i, vocab, generator=generator) * 2) for i in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_members_that_read_their_own_states_make_one_distribution(data: st.DataObject) -> None:
    steps = tables(data.draw(st.integers(1, 3)))
    options = data.draw(search_options(20))
    weights = data.draw(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=len(steps), max_size=len(steps)))
    if not any(weights):
        weights[0] = 1.0
    combination = data.draw(st.sampled_from(["linear", "log_linear"]))

    def combined(sentence: int, prefix: list[int]) -> Tensor:
        rows = [torch.log_softmax(step.scores(sentence)(prefix), -1) for step in steps]
        if combination == "log_linear":
            used = [row * weight for row, weight in zip(rows, weights, strict=True) if weight]
            return functools.reduce(torch.add, used)
        shares = [math.log(weight / sum(weights)) if weight else -math.inf for weight in weights]
        total = rows[0] + shares[0]
        for row, share in zip(rows[1:], shares[1:], strict=True):
            total = torch.logaddexp(total, row + share)
        return total

    members = [Member(step, step.state(), weight) for step, weight in zip(steps, weights, strict=True)]
    found = search(Ensemble(members, combination), options=options, source_lengths=[7] * 3)
    for b in range(3):
        expected = reference_search(
            lambda prefix, b=b: combined(b, prefix), options, SentenceInput(source_length=7), kind="log_probs"
        )
        assert [h.tokens for h in found[b]] == [h.tokens for h in expected]
        for one, other in zip(found[b], expected, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)


def test_an_ensemble_of_twins_finds_what_one_finds() -> None:
    step = tables(1)[0]
    alone = search(step, step.state())
    pair = search(Ensemble([Member(step, step.state()), Member(step, step.state())]))
    assert [[h.tokens for h in sentence] for sentence in pair] == [[h.tokens for h in sentence] for sentence in alone]


def test_wrong_ensembles_get_a_sentence() -> None:
    one, other = tables(1)[0], tables(1, vocab=21)[0]
    with pytest.raises(SearchError, match="member 1 of an ensemble scores 21 tokens and member 0 20"):
        search(Ensemble([Member(one, one.state()), Member(other, other.state())]))
    with pytest.raises(SearchError, match="at least one member"):
        search(Ensemble([]))
    with pytest.raises(SearchError, match=r"weight is -1.* at least 0"):
        search(Ensemble([Member(one, one.state(), -1.0)]))
    with pytest.raises(SearchError, match="expected 'linear' or 'log_linear'"):
        search(Ensemble([Member(one, one.state())], "product"))  # type: ignore[arg-type]
    with pytest.raises(SearchError, match="states of their own"):
        search(Ensemble([Member(one, one.state())]), DecoderState())
