"""The search whose state stays on the device: the same n-best as the slow reference and as the search on the host."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from devices import DEVICES
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps
from table_step import TableStep
from torch import Tensor

from seq2seq_kit import _engine
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.on_device import Enqueue, recording
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import Call, Cancellation, _native, _native_inputs, search
from seq2seq_kit.errors import SearchCancelled, SearchError
from seq2seq_kit.interfaces import DecoderState, StepOutput
from seq2seq_kit.testing.reference_search import reference_search


class PaddedTableStep(TableStep):
    """The same scores from history with padding behind it, as a decoder computes that ``takes_padding``."""

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        assert state.padded
        past = state.history["tokens"]  # [B, K, room]
        written = torch.arange(past.shape[2], device=past.device) < position[:1]
        size = self.table.shape[1]
        row_hash = torch.where(position.unsqueeze(1) == 0, 0, (state.rows["hash"] * 5 + tokens + 1) % size)
        history_hash = torch.zeros_like(tokens)
        first = True
        for token, real in zip(past.unbind(-1), written, strict=True):
            if not first:  # BOS does not count
                history_hash = torch.where(real, (history_hash * 7 + token + 3) % size, history_hash)
            first = False
        history_hash = torch.where(position.unsqueeze(1) == 0, 0, (history_hash * 7 + tokens + 3) % size)
        sentence = state.sentences["index"].unsqueeze(1).expand_as(tokens)
        return StepOutput(
            scores=self.table[sentence, (row_hash * 3 + history_hash) % size],
            kind=self.kind,
            rows={"hash": row_hash},
            new_history={"tokens": tokens.unsqueeze(-1)},
            attention=torch.stack([sentence, row_hash, history_hash], -1).float(),
        )


class Again:
    """Stands for a recorder where nothing can be recorded: runs again what it was given."""

    def __init__(self) -> None:
        self.recorded = self.runs = 0

    def __call__(self, enqueue: Enqueue) -> Enqueue:
        self.recorded += 1

        def replay() -> None:
            self.runs += 1
            enqueue()

        return replay


def padded_search(
    step: PaddedTableStep, options: SearchOptions, sentences: list[SentenceInput], record: Any = None
) -> list[list[Hypothesis]]:
    """A search with padded history on the device of the step's table."""
    device = step.table.device
    with recording(device) as recorder:
        call = Call(takes_padding=True, record=recorder or record, search_on_device=True)
        state = to(step.state(), device)
        found = _engine.search(step, state, _native(options), _native_inputs(sentences), call)
    return [[Hypothesis(*fields) for fields in sentence] for sentence in found]


def to(state: DecoderState, device: torch.device | str) -> DecoderState:
    parts = (state.rows, state.history, state.sentences)
    return DecoderState(*({name: tensor.to(device) for name, tensor in part.items()} for part in parts))


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_it_equals_the_reference(device: str, data: st.DataObject) -> None:
    step = data.draw(table_steps())
    padded = data.draw(st.booleans(), "padded history")
    step = (PaddedTableStep if padded else TableStep)(step.table.to(device), step.kind)
    batch, _, vocab = step.table.shape
    options = data.draw(search_options(vocab))
    lengths = data.draw(st.lists(st.integers(0, 12), min_size=batch, max_size=batch))
    sentences = [SentenceInput(source_length=length) for length in lengths]

    if isinstance(step, PaddedTableStep) and options.temperature == 1:
        again = Again()
        found = padded_search(step, options, sentences, again)
        assert again.runs == 0 or again.recorded == 1
    else:
        step = TableStep(step.table, step.kind)
        found = search(step, to(step.state(), device), options, sentences=sentences, _search_on_device=True)

    for b in range(batch):
        expected = reference_search(step.scores(b), options, sentences[b], kind=step.kind)
        assert found[b] == expected  # tokens, score, log_prob and token_log_probs, all bits
        for hypothesis in found[b]:
            assert (hypothesis.attention is not None) == options.attention
            if hypothesis.attention is not None:
                assert hypothesis.attention.tolist() == step.attention(b, hypothesis.tokens)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_it_does_not_know_is_searched_on_the_host(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    vocab = step.table.shape[2]
    options = data.draw(blocking_options(data.draw(search_options(vocab)), vocab))
    sentences = [data.draw(sentence_inputs(options, vocab)) for _ in step.table]
    found, expected = (
        search(step, step.state(), options, sentences=sentences, _search_on_device=on_device)
        for on_device in (True, False)
    )
    assert found == expected


REASONS: dict[str, tuple[dict[str, Any], SentenceInput]] = {
    "semantics other than kit": ({"semantics": "hf"}, SentenceInput()),
    "sampling": ({"sampling": "tokens"}, SentenceInput()),
    "temperature": ({"temperature": 0.5}, SentenceInput()),
    "groups": ({"groups": 2}, SentenceInput()),
    "sibling_penalty": ({"sibling_penalty": 0.5}, SentenceInput()),
    "alternatives": ({"alternatives": True}, SentenceInput()),
    "coverage_penalty": ({"coverage_penalty": 0.5}, SentenceInput()),
    "top_tokens": ({"top_tokens": 2}, SentenceInput()),
    "that bars or biases tokens": ({"suppress": (3,)}, SentenceInput()),
    "a prefix": ({}, SentenceInput(prefix=(3,))),
    "constraints": ({}, SentenceInput(constraints=(((3,),),))),
}


@pytest.mark.parametrize("reason", REASONS)
def test_it_says_why_it_is_searched_on_the_host(reason: str) -> None:
    changes, sentence = REASONS[reason]
    native = _native(SearchOptions(beam_size=4, **changes))
    said = _engine._native.why_on_host(native, _native_inputs([sentence]), Call())
    assert said is not None and reason in said


def test_plain_searches_need_no_host() -> None:
    for options in (SearchOptions(), SearchOptions(beam_size=1, min_length=3, length_penalty=0.6, stop="enough")):
        assert _engine._native.why_on_host(_native(options), _native_inputs([SentenceInput()]), Call()) is None


def test_a_step_keeps_its_shapes_and_places() -> None:
    """What is recorded once holds until there is no more room for history."""
    step, seen = PaddedTableStep(torch.randn(3, 97, 12, generator=torch.Generator().manual_seed(0))), []

    def watch(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        seen.append((tokens.shape, state.history["tokens"].shape, tokens.data_ptr(), state.rows["hash"].data_ptr()))
        return step(tokens, position, state)

    options = SearchOptions(beam_size=4, max_length=70, bos_id=0, eos_ids=(11,), min_length=70)
    again = Again()
    native = _native_inputs([SentenceInput()] * 3)
    state = step.state()
    _engine.search(
        watch, state, _native(options), native, Call(takes_padding=True, record=again, search_on_device=True)
    )
    assert len(seen) == 71
    assert [shapes[:2] for shapes in seen[:2]] == [((3, 1), (3, 1, 32)), ((3, 4), (3, 4, 32))]
    assert len({each for each in seen[1:32]}) == 1
    assert {each[1] for each in seen[32:64]} == {(3, 4, 64)} and {each[1] for each in seen[64:]} == {(3, 4, 128)}
    assert again.recorded == 3 and again.runs == 71 - 3 - 2 - 2
    assert state.rows["hash"].tolist() == [[0]] * 3 and state.history["tokens"].shape == (3, 1, 0)


def test_what_cannot_be_recorded_is_run_anew() -> None:
    step = PaddedTableStep(torch.randn(2, 97, 9, generator=torch.Generator().manual_seed(1)))
    options, sentences = SearchOptions(beam_size=3, n_best=3, max_length=12, bos_id=0), [SentenceInput()] * 2
    tried = []
    found = padded_search(step, options, sentences, lambda enqueue: tried.append(enqueue))
    assert found == padded_search(step, options, sentences) and len(tried) == 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("beam_size", [1, 3])
def test_many_shapes_follow_their_hypotheses(device: str, beam_size: int) -> None:
    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        read = torch.cat([state.history["ids"], tokens.unsqueeze(-1)], -1)  # [B, K, t + 1]
        assert torch.equal(state.rows["sum"].sum((2, 3)) / 6, state.history["ids"].sum(-1).double())
        assert torch.equal(state.history["wide"][..., 0, 1], state.history["ids"].half())
        assert torch.equal(state.rows["before"], state.history["ids"][:, :, -1] if position[0] else tokens - 1)
        total = read.sum(-1)
        seeds = state.sentences["seed"].unsqueeze(1)
        return StepOutput(
            torch.stack([torch.sin(total * (v + 1.0) + seeds) for v in range(7)], -1),
            rows={"before": tokens, "sum": total[:, :, None, None].double().expand(-1, -1, 2, 3)},
            new_history={
                "wide": tokens[:, :, None, None, None].half().expand(-1, -1, 1, 2, 2),
                "ids": tokens.unsqueeze(-1),
            },
        )

    state = DecoderState(
        rows={"sum": torch.zeros(4, 1, 2, 3).double(), "before": torch.zeros(4, 1).long()},
        history={"ids": torch.empty(4, 1, 0).long(), "wide": torch.empty(4, 1, 0, 2, 2).half()},
        sentences={"seed": torch.arange(4.0)},
    )
    options = SearchOptions(beam_size, n_best=beam_size, numerics="reference", max_length=40, min_length=38)
    found = search(step, to(state, device), options, _search_on_device=True)
    assert all(len(sentence) == beam_size for sentence in found)
    if device == "cpu":
        assert found == search(step, state, options)


def good(tokens: Tensor) -> Tensor:
    scores = torch.zeros(*tokens.shape, 6)
    scores[..., 3] = 1
    return scores


OPTIONS = SearchOptions(beam_size=2, max_length=12)


def on_device(step: Callable[..., Any], options: SearchOptions = OPTIONS, batch_size: int = 2, **how: Any) -> Any:
    return search(step, options=options, batch_size=batch_size, _search_on_device=True, **how)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_wrong_scores_get_the_sentence_and_the_step(wrong: float) -> None:
    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        scores = good(tokens)
        if position[0] == 3:
            scores[1, 0, 4] = wrong
        return scores

    with pytest.raises(SearchError, match=r"sentence 1, step 3: the step's scores contain NaN or \+inf"):
        on_device(step)


def test_a_positive_log_probability_is_an_error() -> None:
    with pytest.raises(SearchError, match=r"sentence 0, step 0: .* above 0"):
        on_device(lambda tokens, position, state: StepOutput(good(tokens), kind="log_probs"))


def test_a_step_must_score_the_same_tokens_at_every_step() -> None:
    with pytest.raises(SearchError, match="the step scores 7 tokens, and scored 6 before"):
        on_device(lambda tokens, position, state: good(tokens) if position[0] < 2 else torch.zeros(*tokens.shape, 7))


def test_exceptions_come_out_as_they_are() -> None:
    error = KeyError("mine")

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        if position[0] == 2:
            raise error
        return good(tokens)

    with pytest.raises(KeyError) as caught:
        on_device(step)
    assert caught.value is error


def test_a_cancelled_search_ends() -> None:
    cancellation = Cancellation()

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        if position[0] == 3:
            cancellation.cancel()
        assert position[0] < 4
        return good(tokens)

    with pytest.raises(SearchCancelled):
        on_device(step, cancellation=cancellation)


def test_a_sentence_that_is_over_costs_two_steps_at_most() -> None:
    """The host is two steps behind the device."""
    calls = []

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        calls.append(tokens.shape)
        scores = torch.zeros(*tokens.shape, 6)
        scores[..., 2] = 9.0 if position[0] == 4 else -9.0
        return scores

    on_device(step, SearchOptions(beam_size=1, max_length=100))
    assert 5 <= len(calls) <= 7


def test_tokens_are_told_in_order_and_never_taken_back() -> None:
    step = TableStep(torch.randn(3, 97, 9, generator=torch.Generator().manual_seed(2)))
    told: dict[int, list[int]] = {0: [], 1: [], 2: []}
    found = search(
        step,
        step.state(),
        SearchOptions(beam_size=3, max_length=12, bos_id=0),
        on_tokens=lambda sentence, tokens: told[sentence].extend(tokens),
        _search_on_device=True,
    )
    assert [told[b] for b in range(3)] == [sentence[0].tokens for sentence in found]


def test_a_deadline_returns_what_is_best_by_then() -> None:
    options = SearchOptions(beam_size=2, max_length=10**6, eos_ids=(5,), min_length=10**6, max_seconds=0.05)
    found = on_device(lambda tokens, position, state: good(tokens), options)
    assert [h.finish for sentence in found for h in sentence] == ["deadline"] * 2
    assert all(token == 3 for token in found[0][0].tokens)


def test_an_empty_batch_has_no_results() -> None:
    assert on_device(lambda *_: None, batch_size=0) == []
