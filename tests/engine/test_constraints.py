"""Phrases that an output must contain."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import automata, blocking_options, search_options, sentence_inputs, table_steps
from table_step import TableStep

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import Constraint, SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.testing.reference_search import reference_search

Constraints = Sequence[Constraint]


@st.composite
def constraints(draw: st.DrawFn, options: SearchOptions, vocab: int) -> Constraints:
    """Of few tokens, so that phrases overlap and share beginnings; some are asked for twice."""
    words = [token for token in range(vocab) if token not in options.eos_ids][:3]
    if not words:
        return []
    phrases = st.lists(st.sampled_from(words), min_size=1, max_size=3).map(tuple)
    drawn = draw(st.lists(st.lists(phrases, min_size=1, max_size=2), min_size=1, max_size=3))
    return drawn + draw(st.lists(st.sampled_from(drawn), max_size=1))


def times(tokens: list[int], phrases: Constraint) -> int:
    """At how many places one of the phrases ends."""
    return sum(any(tokens[max(i - len(p), 0) : i] == [*p] for p in phrases) for i in range(1, len(tokens) + 1))


def unmet(hypothesis: Hypothesis, asked: Constraints) -> list[int]:
    times_asked = [list(asked[: i + 1]).count(phrases) for i, phrases in enumerate(asked)]
    return [i for i, phrases in enumerate(asked) if times(hypothesis.tokens, phrases) < times_asked[i]]


@pytest.mark.parametrize("blocked", [False, True])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_engine_equals_reference(blocked: bool, data: st.DataObject) -> None:
    step = data.draw(table_steps(max_vocab=12, max_batch=3))
    batch, _, vocab = step.table.shape
    options = replace(data.draw(search_options(vocab)), attention=False)
    if blocked:
        options = data.draw(blocking_options(options, vocab))
    sentences = [SentenceInput(source_length=9)] * batch
    if blocked:
        sentences = [data.draw(sentence_inputs(options, vocab)) for _ in range(batch)]
    sentences = [replace(sentence, constraints=data.draw(constraints(options, vocab))) for sentence in sentences]
    found = search(step, step.state(), options, sentences=sentences, _shrink=data.draw(st.booleans(), "shrink"))
    for b, sentence in enumerate(sentences):
        assert found[b] == reference_search(step.scores(b), options, sentence, kind=step.kind)
        for hypothesis in found[b]:
            assert hypothesis.unmet == unmet(hypothesis, sentence.constraints)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_all_are_met_where_there_is_room(data: st.DataObject) -> None:
    """Any number of slots, any score that is possible: one token of room for each of all phrases is enough."""
    vocab = data.draw(st.integers(4, 9))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    step = TableStep(torch.randn(1, 97, vocab, generator=generator) * data.draw(st.sampled_from([1, 10])))
    beam_size = data.draw(st.integers(1, 6))
    options = SearchOptions(beam_size=beam_size, n_best=beam_size, bos_id=0, eos_ids=(2,))
    prefix = tuple(data.draw(st.lists(st.sampled_from([0, 1, 3]), max_size=3)))
    asked = data.draw(constraints(options, vocab))
    room = sum(min(map(len, phrases)) for phrases in asked) + data.draw(st.integers(0, 4))
    options = replace(options, max_length=len(prefix) + room)
    found = search(step, step.state(), options, sentences=[SentenceInput(prefix=prefix, constraints=asked)])[0]
    assert found
    assert all(not unmet(hypothesis, asked) for hypothesis in found)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_where_room_is_short_as_many_are_met_as_fit(data: st.DataObject) -> None:
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    step = TableStep(torch.randn(1, 97, 9, generator=generator))
    options = SearchOptions(beam_size=data.draw(st.integers(1, 6)), bos_id=0, eos_ids=(2,))
    asked = data.draw(constraints(options, 9))
    lengths = sorted(min(map(len, phrases)) for phrases in asked)
    limit = data.draw(st.integers(1, sum(lengths)))
    fitting = sum(sum(lengths[: i + 1]) <= limit for i in range(len(lengths)))
    found = search(
        step, step.state(), replace(options, max_length=limit), sentences=[SentenceInput(constraints=asked)]
    )[0]
    assert len(found) == 1
    assert len(unmet(found[0], asked)) <= len(asked) - fitting
    assert found[0].unmet == unmet(found[0], asked)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_automaton_and_constraints_hold_together(data: st.DataObject) -> None:
    """What both allow is found or not, but never an output that breaks the automaton."""
    step = data.draw(table_steps(max_vocab=8, max_batch=1))
    vocab = step.table.shape[2]
    assume(vocab > 1)
    options = SearchOptions(beam_size=4, n_best=4, max_length=6, bos_id=0, eos_ids=(vocab - 1,))
    automaton = data.draw(automata(vocab))
    sentence = SentenceInput(automaton=automaton, constraints=data.draw(constraints(options, vocab)))
    for hypothesis in search(step, step.state(), options, sentences=[sentence])[0]:
        state = 0
        for token in hypothesis.tokens[:-1]:
            state = automaton.arcs[state][token]
        assert state in automaton.accepting
        assert hypothesis.unmet == unmet(hypothesis, sentence.constraints)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batch_invariance(size: int) -> None:
    table = torch.randn(64, 211, 50, generator=torch.Generator().manual_seed(1)) * 2
    table[:, :, 2] += 2
    step = TableStep(table)
    options = SearchOptions(beam_size=5, n_best=5, max_length=20)
    draw = random.Random(2)
    # Every third sentence has none, so that a batch searches by both rules.
    sentences = [
        SentenceInput(
            constraints=[[tuple(draw.sample(range(3, 12), draw.randint(1, 3))) for _ in range(2)] for _ in range(b % 3)]
        )
        for b in range(64)
    ]
    whole = search(step, step.state(), options, sentences=sentences)
    assert all(found and not found[0].unmet for found in whole)
    order = list(range(64))
    random.Random(size).shuffle(order)
    for shrink in (True, False):
        for start in range(0, 64, size):
            chosen = order[start : start + size]
            inputs = [sentences[i] for i in chosen]
            found = search(step, step.state(chosen), options, sentences=inputs, _shrink=shrink)
            assert found == [whole[i] for i in chosen]


def one_sentence(options: SearchOptions, sentence: SentenceInput, *, seed: int = 0) -> list[Hypothesis]:
    step = TableStep(torch.randn(1, 97, 20, generator=torch.Generator().manual_seed(seed)))
    return search(step, step.state(), options, sentences=[sentence])[0]


OPTIONS = SearchOptions(beam_size=4, n_best=4, max_length=12)


def test_without_constraints_nothing_changes() -> None:
    step = TableStep(torch.randn(2, 97, 20, generator=torch.Generator().manual_seed(3)))
    alone = search(step, step.state(), OPTIONS)
    beside = search(step, step.state(), OPTIONS, sentences=[SentenceInput(), SentenceInput(constraints=[[(5, 6)]])])
    assert beside[0] == alone[0]
    assert beside[1] != alone[1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_wide_beam_finds_the_best_of_all_that_meet_them(data: st.DataObject) -> None:
    """With a slot for every sequence, the search is exhaustive."""
    step = data.draw(table_steps(max_vocab=4, max_batch=1))
    vocab = step.table.shape[2]
    options = SearchOptions(beam_size=200, n_best=200, max_length=3, eos_ids=(vocab - 1,), numerics="reference")
    asked = data.draw(constraints(options, vocab))
    every = search(step, step.state(), options)[0]
    meet = [hypothesis for hypothesis in every if not unmet(hypothesis, asked)]
    found = search(step, step.state(), options, sentences=[SentenceInput(constraints=asked)])[0]
    if meet:
        assert [(h.score, sorted(h.tokens)) for h in found] == [(h.score, sorted(h.tokens)) for h in meet]
    else:
        assert all(hypothesis.unmet for hypothesis in found)


def test_overlapping_phrases_share_their_tokens() -> None:
    found = one_sentence(
        replace(OPTIONS, max_length=3, forced_first=5), SentenceInput(constraints=[[(5, 6)], [(6, 7)]])
    )
    assert [5, 6, 7] in [hypothesis.tokens[:3] for hypothesis in found]
    assert found[0].unmet == []


def test_one_given_twice_comes_twice() -> None:
    for hypothesis in one_sentence(OPTIONS, SentenceInput(constraints=[[(5, 6)], [(5, 6)]])):
        assert times(hypothesis.tokens, [(5, 6)]) >= 2


def test_one_phrase_of_several_is_enough() -> None:
    """Here one phrase alone is possible."""
    found = one_sentence(OPTIONS, SentenceInput(constraints=[[(5, 6), (7,)]], banned=[(7,)]))
    assert all(times(hypothesis.tokens, [(5, 6)]) and 7 not in hypothesis.tokens for hypothesis in found)


def test_phrase_as_long_as_the_limit() -> None:
    phrase = (5, 6, 7, 8)
    found = one_sentence(replace(OPTIONS, beam_size=1, n_best=1, max_length=4), SentenceInput(constraints=[[phrase]]))
    assert found[0].tokens == [*phrase, 2]


def test_phrase_may_begin_in_the_prefix() -> None:
    found = one_sentence(replace(OPTIONS, max_length=4), SentenceInput(prefix=(4, 5, 6), constraints=[[(5, 6, 7)]]))
    assert found[0].tokens == [4, 5, 6, 7, 2]


def test_banned_phrases_and_constraints() -> None:
    sentence = SentenceInput(constraints=[[(5, 6)], [(8,)]], banned=[(6, 8), (9,), (6, 2)])
    for hypothesis in one_sentence(OPTIONS, sentence):
        assert not hypothesis.unmet
        assert times(hypothesis.tokens, [(6, 8), (9,), (6, 2)]) == 0


@pytest.mark.parametrize(
    ("sentence", "changes", "expected"),
    [
        (SentenceInput(constraints=[[(5,)], [(6, 7)]], banned=[(7,)]), {}, [1]),
        (SentenceInput(constraints=[[(6, 7)], [(5,)]], banned=[(6, 7)]), {}, [0]),
        (SentenceInput(constraints=[[(5,)], [(6, 7)]]), {"suppress": (6,)}, [1]),
        (SentenceInput(constraints=[[(5,)], [(6, 7)]]), {"bad_words": ((5,),)}, [0]),
        (SentenceInput(constraints=[[(5,)], [(6, 7)], [(8, 9)]]), {"sequence_bias": (((9,), -torch.inf),)}, [2]),
        (SentenceInput(constraints=[[(5, 6, 7)], [(8,)]]), {"max_length": 2}, [0]),
        (SentenceInput(constraints=[[(5, 6, 7)], [(8,)], [(9,)]]), {"max_length": 3, "beam_size": 1, "n_best": 1}, [0]),
        (SentenceInput(constraints=[[(5,)]], prefix=(6, 2)), {}, [0]),
        (SentenceInput(constraints=[[(5, 5)], [(8,)]]), {"no_repeat_ngram": 1}, [0]),
    ],
)
def test_what_cannot_be_met_is_said(sentence: SentenceInput, changes: dict[str, Any], expected: list[int]) -> None:
    found = one_sentence(replace(OPTIONS, **changes), sentence)
    assert found
    assert all(hypothesis.unmet == expected for hypothesis in found)


def test_what_no_model_gives_is_said() -> None:
    table = torch.randn(1, 97, 20, generator=torch.Generator().manual_seed(0))
    table[..., 6] = -torch.inf
    step = TableStep(table)
    sentence = SentenceInput(constraints=[[(5,)], [(6,)]])
    found = search(step, step.state(), OPTIONS, sentences=[sentence])[0]
    assert found
    assert all(hypothesis.unmet == [1] and hypothesis.tokens[-1] == 2 for hypothesis in found)


def test_stop_criterion_ends_what_is_not_done() -> None:
    step = TableStep(torch.randn(1, 97, 20, generator=torch.Generator().manual_seed(0)))
    sentence = SentenceInput(constraints=[[(5, 6, 7, 8)]])
    found = search(
        step, step.state(), OPTIONS, sentences=[sentence], stop=lambda tokens, sums: torch.ones_like(sums).bool()
    )[0]
    assert [(hypothesis.finish, hypothesis.unmet) for hypothesis in found] == [("stopped", [0])] * len(found) != []


def test_told_tokens_are_never_taken_back() -> None:
    table = torch.randn(16, 97, 20, generator=torch.Generator().manual_seed(5)) * 3
    step = TableStep(table)
    told: list[list[int]] = [[] for _ in range(16)]
    sentences = [SentenceInput(constraints=[[(5, 6)], [(7, 8, 9)]], banned=[(8,)] if b % 2 else []) for b in range(16)]
    found = search(step, step.state(), OPTIONS, sentences=sentences, on_tokens=lambda b, tokens: told[b].extend(tokens))
    assert told == [hypotheses[0].tokens for hypotheses in found]


@pytest.mark.parametrize(
    ("changes", "sentence", "message"),
    [
        ({}, SentenceInput(constraints=[[(5, 2)]]), "the end symbol 2"),
        ({}, SentenceInput(constraints=[[(5, 20)]]), "token 20, but the step scores 20 tokens"),
        ({}, SentenceInput(constraints=[[]]), "without phrases"),
        ({}, SentenceInput(constraints=[[()]]), "without tokens"),
        ({"semantics": "hf"}, SentenceInput(constraints=[[(5,)]]), "semantics 'kit' knows them, 'hf' does not"),
        ({"groups": 2}, SentenceInput(constraints=[[(5,)]]), "groups"),
        ({"sibling_penalty": 1.0}, SentenceInput(constraints=[[(5,)]]), "sibling_penalty"),
        ({"alternatives": True}, SentenceInput(constraints=[[(5,)]]), "alternatives"),
        ({"sampling": "tokens"}, SentenceInput(constraints=[[(5,)]]), "sampling"),
        ({"sampling": "beams"}, SentenceInput(constraints=[[(5,)]]), "sampling"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], sentence: SentenceInput, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        one_sentence(replace(OPTIONS, **changes), sentence)
