"""Diverse groups, sibling penalty and alternatives: as the slow search has them, and doing what they are for."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import search_options, table_steps
from table_step import TableStep

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.testing.reference_search import reference_search


@st.composite
def diverse_options(draw: st.DrawFn, vocab: int, what: str) -> SearchOptions:
    options = draw(search_options(vocab))
    if what == "groups":
        groups = draw(st.integers(2, 4))
        beam_size = groups * draw(st.integers(1, 3))
        changes = {
            "groups": groups,
            "beam_size": beam_size,
            "diversity_penalty": draw(st.sampled_from([0.0, 0.5, 3.0])),
        }
    elif what == "siblings":
        changes = {"sibling_penalty": draw(st.sampled_from([0.3, 1.0])), "beam_size": draw(st.integers(1, 6))}
    else:
        changes = {"alternatives": True, "beam_size": draw(st.integers(1, 6))}
    return replace(options, n_best=draw(st.integers(1, changes["beam_size"])), attention=False, **changes)


@pytest.mark.parametrize("what", ["groups", "siblings", "alternatives"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_engine_equals_reference(what: str, data: st.DataObject) -> None:
    step = data.draw(table_steps(max_vocab=30, max_batch=3))
    options = data.draw(diverse_options(step.table.shape[2], what))
    vocab = step.table.shape[2]
    prefixes = st.lists(st.integers(0, vocab - 1).filter(lambda token: token not in options.eos_ids), max_size=2)
    most = min(len(step.table), 3)
    sentences = [SentenceInput(source_length=7, prefix=tuple(data.draw(prefixes))) for _ in range(most)]
    sentences = [s if len(s.prefix) <= options.max_length else SentenceInput(source_length=7) for s in sentences]
    step = TableStep(step.table[:most], step.kind)
    if options.max_length_ratio:
        options = replace(options, max_length_ratio=0.0)
    found = search(step, step.state(), options, sentences=sentences, _shrink=data.draw(st.booleans()))
    for b, sentence in enumerate(sentences):
        assert found[b] == reference_search(step.scores(b), options, sentence, kind=step.kind)


@pytest.mark.parametrize(
    "changes", [{"groups": 3, "diversity_penalty": 0.7}, {"sibling_penalty": 0.5}, {"alternatives": True}]
)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_batch_invariance(changes: dict[str, float], size: int) -> None:
    table = torch.randn(64, 211, 50, generator=torch.Generator().manual_seed(1)) * 2
    table[:, :, 2] += 2
    step = TableStep(table)
    options = SearchOptions(beam_size=6, n_best=6, max_length=20, **changes)
    whole = search(step, step.state(), options)
    order = list(range(64))
    random.Random(size).shuffle(order)
    for shrink in (True, False):
        for start in range(0, 64, size):
            chosen = order[start : start + size]
            assert search(step, step.state(chosen), options, _shrink=shrink) == [whole[i] for i in chosen]


def test_groups_differ_more_than_one_beam() -> None:
    table = torch.randn(8, 211, 40, generator=torch.Generator().manual_seed(2)) * 2
    step = TableStep(table)
    one = search(step, step.state(), SearchOptions(beam_size=6, n_best=6, max_length=8))
    many = search(step, step.state(), SearchOptions(beam_size=6, n_best=6, max_length=8, groups=6, diversity_penalty=2))
    first = [len({tuple(h.tokens[:3]) for h in sentence}) for sentence in one]
    diverse = [len({tuple(h.tokens[:3]) for h in sentence}) for sentence in many]
    assert sum(diverse) > sum(first)


def test_alternatives_differ_at_the_position_after_the_prefix() -> None:
    table = torch.randn(2, 97, 30, generator=torch.Generator().manual_seed(4))
    step = TableStep(table)
    options = SearchOptions(beam_size=5, n_best=5, max_length=10, alternatives=True)
    for sentence in search(step, step.state(), options, sentences=[SentenceInput(prefix=(7, 9))] * 2):
        assert all(h.tokens[:2] == [7, 9] for h in sentence)
        assert len({h.tokens[2] for h in sentence}) == 5
        after = [h.token_log_probs[2] for h in sentence]
        assert after == sorted(after, reverse=True)


REFUSED = [
    ({"groups": 2, "beam_size": 4, "semantics": "fairseq"}, "groups: semantics 'kit' and 'hf' know it, 'fairseq'"),
    ({"sibling_penalty": 0.5, "semantics": "ct2"}, "sibling_penalty: semantics 'kit' and 'fairseq' know it"),
    ({"alternatives": True, "semantics": "hf"}, "alternatives: semantics 'kit' and 'ct2' know it, 'hf' does not"),
    ({"groups": 2, "beam_size": 4, "alternatives": True}, "groups does not go together with .* alternatives"),
    ({"patience": 2.0}, "patience: semantics 'ct2', and 'kit' with stop = 'enough', know it"),
    ({"diversity_penalty": 0.5}, "diversity_penalty is between groups: it needs groups above 1"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_does_not_go_together_gets_a_sentence(changes: dict[str, Any], message: str) -> None:
    step = TableStep(torch.zeros(1, 7, 9))
    with pytest.raises(SearchError, match=message):
        search(step, step.state(), SearchOptions(**changes))
