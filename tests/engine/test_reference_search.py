"""The engine with reference numerics equals the slow Python search bit for bit: tokens, order and scores."""

from __future__ import annotations

import itertools
import math
from functools import partial

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import search_options, table_steps
from table_step import TableStep

from seq2seq_kit import _engine
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import Call, _native, _native_inputs, search
from seq2seq_kit.testing.reference import kit
from seq2seq_kit.testing.reference.common import ranking_score
from seq2seq_kit.testing.reference_search import reference_search


def native_inputs(lengths: list[int]) -> list[_engine.SentenceInput]:
    return _native_inputs([SentenceInput(source_length=length) for length in lengths])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_engine_equals_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(search_options(vocab))
    lengths = data.draw(st.lists(st.integers(0, 12), min_size=batch, max_size=batch))
    on_device = data.draw(st.booleans(), "select on device")
    shrink = data.draw(st.booleans(), "shrink")

    found = search(step, step.state(), options, source_lengths=lengths, _select_on_device=on_device, _shrink=shrink)

    for b in range(batch):
        expected = reference_search(step.scores(b), options, SentenceInput(source_length=lengths[b]), kind=step.kind)
        assert found[b] == expected  # tokens, score, log_prob and token_log_probs, all bits
        for hypothesis in found[b]:
            assert (hypothesis.attention is not None) == options.attention
            if hypothesis.attention is not None:
                assert hypothesis.attention.tolist() == step.attention(b, hypothesis.tokens)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_native_model_is_searched_by_the_same_loop(data: st.DataObject) -> None:
    """The search never asks what kind of model it drives: here one without any Python."""
    step = data.draw(table_steps())
    batch, size, vocab = step.table.shape
    options = data.draw(search_options(vocab))
    lengths = data.draw(st.lists(st.integers(0, 12), min_size=batch, max_size=batch))

    def score(sentence: int, prefix: list[int]) -> torch.Tensor:
        hashed = 0
        for token in prefix:
            hashed = (hashed * 5 + token + 1) % size
        return step.table[sentence, hashed]

    found = _engine.search_table(step.table, step.kind, _native(options), native_inputs(lengths), Call())
    for b in range(batch):
        expected = reference_search(partial(score, b), options, SentenceInput(source_length=lengths[b]), kind=step.kind)
        assert [Hypothesis(*fields) for fields in found[b]] == expected


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_stopping_early_loses_nothing(data: st.DataObject) -> None:
    step = data.draw(table_steps(max_vocab=12, max_batch=1))
    options = data.draw(search_options(step.table.shape[2]))
    searches = [
        kit.search(step.scores(0), options, SentenceInput(source_length=9), kind=step.kind, stop_early=stop_early)
        for stop_early in (True, False)
    ]
    assert searches[0] == searches[1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_wide_beam_finds_the_best_of_all(data: st.DataObject) -> None:
    """With a slot for every sequence, beam search is exhaustive search."""
    step = data.draw(table_steps(max_vocab=3, max_batch=1))
    vocab = step.table.shape[2]
    penalty = data.draw(st.sampled_from([0.0, 1.0, 1.5]))
    options = SearchOptions(
        beam_size=200, length_penalty=penalty, max_length=3, bos_id=0, eos_ids=(vocab - 1,), numerics="reference"
    )

    best = -math.inf
    for length in range(options.max_length + 1):
        for words in itertools.product(range(vocab - 1), repeat=length):
            total = torch.tensor(0.0)
            tokens = [*words, vocab - 1]
            for i, token in enumerate(tokens):
                scores = step.scores(0)(tokens[:i])
                total = total + (scores if step.kind == "log_probs" else scores.log_softmax(-1))[token]
            if not total.isnan():  # log-softmax of nothing but -inf
                best = max(best, total.item() / len(tokens) ** penalty)

    found = search(step, step.state(), options)[0]
    assert [hypothesis.score for hypothesis in found] == ([best] if best > -math.inf else [])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_n_best_does_not_change_the_first(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    beam_size = data.draw(st.integers(2, 8))
    lists = [
        search(step, step.state(), SearchOptions(beam_size=beam_size, n_best=n, max_length=8, bos_id=0, eos_ids=(0,)))
        for n in range(1, beam_size + 1)
    ]
    for shorter, longer in itertools.pairwise(lists):
        for few, many in zip(shorter, longer, strict=True):
            assert few == many[: len(few)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_scores_add_up(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    options = data.draw(search_options(step.table.shape[2], data.draw(st.sampled_from(["reference", "fast"]))))
    for sentence in search(step, step.state(), options, source_lengths=[7] * len(step.table)):
        for hypothesis in sentence:
            total = torch.zeros(())
            for log_prob in hypothesis.token_log_probs:
                total = total + log_prob  # float32, first to last
            assert hypothesis.log_prob == total.item()
            sentence_input = SentenceInput(source_length=7)
            assert hypothesis.score == ranking_score(options, sentence_input, total.item(), len(hypothesis.tokens))


def test_ties_go_to_the_lower_slot_then_the_lower_token() -> None:
    step = TableStep(torch.zeros(1, 1, 5))
    found = search(step, step.state(), SearchOptions(beam_size=4, n_best=4, max_length=1, bos_id=0, eos_ids=(4,)))[0]
    assert [hypothesis.tokens for hypothesis in found] == [[0, 4], [1, 4], [2, 4], [3, 4]]
