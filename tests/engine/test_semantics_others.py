"""The engine equals the slow references of fairseq, OpenNMT-py, Marian, Sockeye and JoeyNMT bit for bit on tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.decoding.search import search
from seq2seq_kit.testing.reference.common import length_limit
from seq2seq_kit.testing.reference_search import reference_search

SEMANTICS = ("fairseq", "opennmt", "marian", "sockeye", "joey")
STOPS = {"sockeye": ("default", "all", "first")}


@st.composite
def options_of(draw: st.DrawFn, semantics: Semantics, vocab: int) -> SearchOptions:
    options = replace(
        draw(search_options(vocab)),
        semantics=semantics,
        length_penalty_offset=draw(st.sampled_from([0.0, 5.0])),
        word_penalty=draw(st.sampled_from([0.0, 0.3, -1.0])),
        brevity_penalty=draw(st.sampled_from([0.0, 2.0])),
        brevity_ratio=draw(st.sampled_from([1.0, 0.7])),
        temperature=draw(st.sampled_from([1.0, 1.0, 0.5, 1.7])),
        stop=draw(st.sampled_from(STOPS.get(semantics, ("default",)))),
    )
    if semantics == "fairseq":
        options = replace(options, sibling_penalty=draw(st.sampled_from([0.0, 0.0, 0.5, 3.0])))
    return draw(blocking_options(options, vocab)) if draw(st.booleans()) else options


@st.composite
def inputs_of(draw: st.DrawFn, options: SearchOptions, vocab: int, batch: int) -> list[SentenceInput]:
    if draw(st.booleans()):
        inputs = draw(st.lists(sentence_inputs(options, vocab), min_size=batch, max_size=batch))
        if options.semantics in ("fairseq", "sockeye"):
            return inputs
        # The others count EOS among the tokens that are limited, in a prefix too.
        limits = [length_limit(replace(options, max_new_tokens=0), each) for each in inputs]
        return [replace(each, prefix=each.prefix[:limit]) for each, limit in zip(inputs, limits, strict=True)]
    lengths = st.integers(0, 12)
    return [SentenceInput(source_length=draw(lengths)) for _ in range(batch)]


@pytest.mark.parametrize("semantics", SEMANTICS)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_engine_equals_reference(semantics: Semantics, data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(options_of(semantics, vocab))
    sentences = data.draw(inputs_of(options, vocab, batch))
    on_device = data.draw(st.booleans(), "select on device")

    found = search(step, step.state(), options, sentences=sentences, _select_on_device=on_device)
    for b in range(batch):
        assert found[b] == reference_search(step.scores(b), options, sentences[b], kind=step.kind)


@pytest.mark.parametrize("semantics", SEMANTICS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_batch_gives_what_its_sentences_give(semantics: Semantics, data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(options_of(semantics, vocab))
    sentences = data.draw(inputs_of(options, vocab, batch))
    order = data.draw(st.permutations(range(batch)))
    shrink = data.draw(st.booleans(), "shrink")

    together = search(step, step.state(order), options, sentences=[sentences[b] for b in order], _shrink=shrink)
    for place, b in enumerate(order):
        assert together[place] == search(step, step.state([b]), options, sentences=[sentences[b]])[0]


@pytest.mark.parametrize("semantics", SEMANTICS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_scores_add_up_and_lengths_hold(semantics: Semantics, data: st.DataObject) -> None:
    step = data.draw(table_steps())
    options = data.draw(options_of(semantics, step.table.shape[2]))
    inputs = [SentenceInput(source_length=9)] * len(step.table)
    longest = options.max_length + (1 if semantics in ("fairseq", "sockeye") and options.eos_ids else 0)
    for sentence in search(step, step.state(), options, sentences=inputs):
        assert len(sentence) <= options.n_best
        for hypothesis in sentence:
            total = torch.zeros(())
            for log_prob in hypothesis.token_log_probs:
                total = total + log_prob  # float32, first to last
            assert hypothesis.log_prob == total.item()
            assert len(hypothesis.tokens) <= longest
            assert not set(options.eos_ids) & set(hypothesis.tokens[:-1])
            if hypothesis.finish == "eos":
                assert hypothesis.tokens[-1] in options.eos_ids
