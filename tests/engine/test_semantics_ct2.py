"""The engine equals the slow reference of ``semantics="ct2"`` bit for bit on tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, sequences, table_steps
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, StepOutput
from seq2seq_kit.testing.reference import ct2


class Attending:
    """A table step whose attention is a fraction of 1, for the coverage penalty."""

    def __init__(self, step: TableStep) -> None:
        self.step = step

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = self.step(tokens, position, state)
        assert output.attention is not None
        return replace(output, attention=output.attention / 300)

    def of_prefix(self, sentence: int) -> Callable[[list[int]], Tensor]:
        return lambda prefix: torch.tensor(self.step.attention(sentence, [*prefix, 0])[-1]) / 300


@st.composite
def options_of(draw: st.DrawFn, vocab: int) -> SearchOptions:
    options = draw(search_options(vocab))
    patience = draw(st.sampled_from([1.0, 1.0, 0.5, 1.6, 2.0]))
    options = replace(
        options,
        semantics="ct2",
        n_best=draw(st.integers(1, min(options.beam_size, int(options.beam_size * patience + 0.5)))),
        patience=patience,
        coverage_penalty=draw(st.sampled_from([0.0, 0.0, 0.3])),
    )
    return draw(blocking_options(options, vocab)) if draw(st.booleans()) else options


@st.composite
def inputs_of(draw: st.DrawFn, options: SearchOptions, vocab: int) -> SentenceInput:
    """Here a prefix may hold end symbols, and be longer than the limit."""
    sentence = draw(sentence_inputs(options, vocab))
    return replace(sentence, prefix=draw(sequences(vocab, 0, 6))) if sentence.automaton is None else sentence


def assert_equal(step: TableStep, options: SearchOptions, sentences: list[SentenceInput]) -> None:
    attending = Attending(step)
    found = search(attending, step.state(), options, sentences=sentences)
    for b, sentence in enumerate(sentences):
        attention = attending.of_prefix(b)
        assert found[b] == ct2.search(step.scores(b), options, sentence, attention=attention)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_engine_equals_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(options_of(vocab))
    assert_equal(step, options, [data.draw(inputs_of(options, vocab)) for _ in range(batch)])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_alternatives_equal_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = replace(data.draw(options_of(vocab)), alternatives=True, prefix_bias=0.0)
    assert_equal(step, options, [data.draw(inputs_of(options, vocab)) for _ in range(batch)])


def test_the_deadline_cuts_alternatives_short() -> None:
    """A score is the log-probability of the first token plus the score of the rest, also of what has not ended."""
    table = torch.randn(5, 1, 9, generator=torch.Generator().manual_seed(4)).log_softmax(-1)

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        if position[0] == 3:
            time.sleep(0.7)
        return StepOutput(table[position[0]].expand(*tokens.shape, -1), "log_probs")

    options = SearchOptions(
        semantics="ct2", beam_size=3, n_best=3, max_length=5, eos_ids=(), alternatives=True, max_seconds=0.6
    )
    cut = search(step, options=options, batch_size=1)[0]
    first = table[0, 0].topk(3)
    assert [hypothesis.tokens[0] for hypothesis in cut] == first.indices.tolist()
    rest = table[1:4, 0].max(-1).values.sum()
    for hypothesis, log_prob in zip(cut, first.values, strict=True):
        assert hypothesis.finish == "deadline"
        assert hypothesis.log_prob == pytest.approx(sum(hypothesis.token_log_probs))
        assert hypothesis.score == pytest.approx((log_prob + rest / 3).item(), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_batch_gives_what_its_sentences_give(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = replace(data.draw(options_of(vocab)), alternatives=data.draw(st.booleans()))
    if options.alternatives:
        options = replace(options, prefix_bias=0.0)
    sentences = [data.draw(inputs_of(options, vocab)) for _ in range(batch)]
    order = data.draw(st.permutations(range(batch)))
    shrink = data.draw(st.booleans(), "shrink")

    attending = Attending(step)
    together = search(attending, step.state(order), options, sentences=[sentences[b] for b in order], _shrink=shrink)
    for place, b in enumerate(order):
        assert together[place] == search(attending, step.state([b]), options, sentences=[sentences[b]])[0]


def test_where_a_prefix_ends_only_the_best_candidate_may_be_eos() -> None:
    """The second best is barred from it; as token 0 it none the less counts as finished."""

    def found(logits: list[float], eos: int) -> list[list[int]]:
        step = TableStep(torch.tensor([[logits]]))  # whatever came before
        options = SearchOptions(semantics="ct2", beam_size=2, n_best=2, eos_ids=(eos,), max_length=6)
        return [h.tokens for h in search(step, step.state(), options, sentences=[SentenceInput(prefix=(3,))])[0]]

    assert found([2.0, 2.5, 3.0, 1.0], eos=2)[0] == [3, 2]
    assert found([2.0, 3.0, 2.5, 1.0], eos=2) == [[3, 1, 2], [3, 1, 1, 2]]
    assert found([2.5, 3.0, 2.0, 1.0], eos=0) == [[3, 1, 0]]


def test_forced_tokens_are_not_scored_but_counted() -> None:
    step = TableStep(torch.tensor([[[0.0, 3.0, 1.0]]]))
    options = SearchOptions(semantics="ct2", beam_size=1, eos_ids=(1,), max_length=9, numerics="reference")
    (best,) = search(step, step.state(), options, sentences=[SentenceInput(prefix=(2, 0, 2))])[0]
    assert best.tokens == [2, 0, 2, 1]
    assert best.token_log_probs[:3] == [0, 0, 0]
    assert best.score == best.log_prob / 4


def test_what_is_barred_loses_its_share() -> None:
    """The probabilities of what is left add up to 1 again."""
    step = TableStep(torch.tensor([[[0.0, 3.0, 1.0, 2.0]]]))
    options = SearchOptions(semantics="ct2", beam_size=1, eos_ids=(1,), max_length=9, suppress=(3,), min_length=1)
    (best,) = search(step, step.state(), options)[0]
    assert best.tokens == [2, 1]
    left = torch.tensor([0.0, 1.0]).log_softmax(0)[1].item()
    assert abs(best.token_log_probs[0] - left) < 1e-6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beam_size": 4, "n_best": 3, "patience": 0.5}, "n_best = 3: semantics 'ct2' ends with .* that is 2"),
        ({"alternatives": True, "prefix_bias": 0.5}, "prefix_bias: alternatives follow a forced prefix"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    step = TableStep(torch.zeros(1, 1, 9))
    options = SearchOptions(semantics="ct2", **changes)
    with pytest.raises(SearchError, match=message):
        search(step, step.state(), options, sentences=[SentenceInput(prefix=(3,))])
