"""The engine equals the slow references of fairseq, OpenNMT-py, Marian, Sockeye and JoeyNMT bit for bit on tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import DecoderState, StepOutput
from seq2seq_kit.testing.reference.common import length_limit

SEMANTICS = ("fairseq", "opennmt", "marian", "sockeye", "joey")
SEARCHES = {name: import_module(f"seq2seq_kit.testing.reference.{name}").search for name in SEMANTICS}
STOPS = {"sockeye": ("default", "all", "first")}


class Attending:
    """A table step whose attention is a fraction of 1, for the coverage penalty."""

    def __init__(self, step: TableStep) -> None:
        self.step = step

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = self.step(tokens, position, state)
        assert output.attention is not None
        return replace(output, attention=output.attention / 200)

    def attention(self, sentence: int) -> Callable[[list[int]], Tensor]:
        return lambda prefix: torch.tensor(self.step.attention(sentence, [*prefix, 0])[-1]) / 200


@st.composite
def options_of(draw: st.DrawFn, semantics: Semantics, vocab: int) -> SearchOptions:
    options = replace(
        draw(search_options(vocab)),
        semantics=semantics,
        length_penalty_offset=draw(st.sampled_from([0.0, 5.0])),
        word_penalty=draw(st.sampled_from([0.0, 0.3, -1.0])),
        brevity_penalty=draw(st.sampled_from([0.0, 2.0])),
        brevity_ratio=draw(st.sampled_from([1.0, 0.7])),
        coverage_penalty=draw(st.sampled_from([0.0, 0.0, 0.4])),
        coverage=draw(st.sampled_from(["wu", "see"])),
        temperature=draw(st.sampled_from([1.0, 1.0, 0.5, 1.7])),
        stop=draw(st.sampled_from(STOPS.get(semantics, ("default",)))),
    )
    if semantics == "fairseq":
        options = replace(options, sibling_penalty=draw(st.sampled_from([0.0, 0.0, 0.5, 3.0])))
    return draw(blocking_options(options, vocab)) if draw(st.booleans()) else options


@st.composite
def inputs_of(draw: st.DrawFn, options: SearchOptions, vocab: int, batch: int) -> list[SentenceInput]:
    inputs = draw(st.lists(sentence_inputs(options, vocab), min_size=batch, max_size=batch))
    if draw(st.booleans()):
        return [replace(each, prefix=(), automaton=None, banned=()) for each in inputs]
    if options.semantics in ("fairseq", "sockeye"):
        return inputs
    # The others count EOS among the tokens that are limited, in a prefix too.
    limits = [length_limit(replace(options, max_new_tokens=0), each) for each in inputs]
    return [replace(each, prefix=each.prefix[:limit]) for each, limit in zip(inputs, limits, strict=True)]


@pytest.mark.parametrize("semantics", SEMANTICS)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_engine_equals_reference(semantics: Semantics, data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(options_of(semantics, vocab))
    sentences = data.draw(inputs_of(options, vocab, batch))
    on_device = data.draw(st.booleans(), "select on device")

    attending = Attending(step)
    found = search(attending, step.state(), options, sentences=sentences, _select_on_device=on_device)
    for b in range(batch):
        score, attention = step.scores(b), attending.attention(b)
        assert found[b] == SEARCHES[semantics](score, options, sentences[b], kind=step.kind, attention=attention)


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

    attending = Attending(step)
    together = search(attending, step.state(order), options, sentences=[sentences[b] for b in order], _shrink=shrink)
    for place, b in enumerate(order):
        assert together[place] == search(attending, step.state([b]), options, sentences=[sentences[b]])[0]


@pytest.mark.parametrize("semantics", SEMANTICS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_scores_add_up_and_lengths_hold(semantics: Semantics, data: st.DataObject) -> None:
    step = data.draw(table_steps())
    options = data.draw(options_of(semantics, step.table.shape[2]))
    inputs = [SentenceInput(source_length=9, source=(0,) * 9)] * len(step.table)
    longest = options.max_length + (1 if semantics in ("fairseq", "sockeye") and options.eos_ids else 0)
    for sentence in search(Attending(step), step.state(), options, sentences=inputs):
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
