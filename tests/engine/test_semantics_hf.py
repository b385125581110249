"""The engine equals the slow reference of Hugging Face's search bit for bit; what that one does, case by case."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps
from table_step import TableStep

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.testing.reference.common import length_limit
from seq2seq_kit.testing.reference_search import reference_search


@st.composite
def hf_options(draw: st.DrawFn, vocab: int) -> SearchOptions:
    options = replace(
        draw(search_options(vocab)),
        semantics="hf",
        length_penalty=draw(st.sampled_from([-0.5, 0.0, 0.6, 1.0, 2.0])),
        stop=draw(st.sampled_from(["default", "estimate", "enough", "longest"])),
    )
    return draw(blocking_options(options, vocab)) if draw(st.booleans()) else options


@st.composite
def diverse_options(draw: st.DrawFn, vocab: int) -> SearchOptions:
    options = draw(hf_options(vocab))
    groups, slots = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    return replace(
        options,
        groups=groups,
        beam_size=groups * slots,
        n_best=draw(st.integers(1, groups * slots)),
        diversity_penalty=draw(st.sampled_from([0.0, 0.3, 1.0, 5.0])),
    )


def test_log_probs_that_do_not_sum_to_one_are_normalised_on_the_device_too() -> None:
    """Where processors see logits, that is greedily, every step's scores are taken for logits."""
    step = TableStep(torch.tensor([[[-4.6, -5.6, -6.6, -7.6, -4.9]]]), kind="log_probs")
    options = SearchOptions(semantics="hf", numerics="reference", max_length=3)
    found = [search(step, step.state(), options, _select_on_device=on_device) for on_device in (False, True)]
    assert found[0] == found[1] == [reference_search(step.scores(0), options, kind="log_probs")]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_engine_equals_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(hf_options(vocab))
    sentences = data.draw(st.lists(sentence_inputs(options, vocab), min_size=batch, max_size=batch))
    on_device = data.draw(st.booleans(), "select on device")

    found = search(step, step.state(), options, sentences=sentences, _select_on_device=on_device)
    for b in range(batch):
        assert found[b] == reference_search(step.scores(b), options, sentences[b], kind=step.kind)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_engine_equals_reference_in_groups(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(diverse_options(vocab))
    sentences = data.draw(st.lists(sentence_inputs(options, vocab), min_size=batch, max_size=batch))

    found = search(step, step.state(), options, sentences=sentences, _shrink=data.draw(st.booleans(), "shrink"))
    for b in range(batch):
        assert found[b] == reference_search(step.scores(b), options, sentences[b], kind=step.kind)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_batch_gives_what_its_sentences_give(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(st.one_of(hf_options(vocab), diverse_options(vocab)))
    options = replace(options, numerics=data.draw(st.sampled_from(["fast", "reference"])))
    sentences = data.draw(st.lists(sentence_inputs(options, vocab), min_size=batch, max_size=batch))
    order = data.draw(st.permutations(range(batch)))
    shrink = data.draw(st.booleans(), "shrink")

    together = search(step, step.state(order), options, sentences=[sentences[b] for b in order], _shrink=shrink)
    for place, b in enumerate(order):
        assert together[place] == search(step, step.state([b]), options, sentences=[sentences[b]])[0]


A, B, EOS = 0, 1, 2


def scripted(script: dict[tuple[int, ...], list[float]], prefix: tuple[int, ...] = (), **options: Any):
    """Search probabilities of (A, B, EOS) by prefix, with the reference and the engine, which must agree."""
    chosen = SearchOptions(**{"semantics": "hf", "numerics": "reference", "eos_ids": (EOS,), "bos_id": A} | options)

    def score(tokens: list[int]) -> torch.Tensor:
        return torch.tensor(script.get(tuple(tokens), script[()])).log()

    sentence = SentenceInput(prefix=prefix)
    found = reference_search(score, chosen, sentence, kind="log_probs")
    table, index = [], {}
    for tokens in _all(length_limit(chosen, sentence)):
        index[tokens] = len(table)
        table.append(score(list(tokens)))

    def step(tokens: torch.Tensor, position: torch.Tensor, state: Any) -> Any:
        past = torch.cat([state.history["tokens"], tokens.unsqueeze(-1)], -1)[..., 1:]  # [1, K, t]
        rows = torch.stack([table[index[tuple(row)]] for row in past[0].tolist()])
        return replace(plain(tokens, position, state), scores=rows.unsqueeze(0), kind="log_probs")

    plain = TableStep(torch.zeros(1, 1, 3))
    assert search(step, plain.state(), chosen, sentences=[sentence])[0] == found
    return found


def _all(length: int) -> list[tuple[int, ...]]:
    """All sequences of up to ``length`` tokens."""
    found: list[tuple[int, ...]] = [()]
    for tokens in found:
        if len(tokens) < length:
            found += [(*tokens, token) for token in (A, B, EOS)]
    return found


def tokens(found: list[Hypothesis]) -> list[list[int]]:
    return [hypothesis.tokens for hypothesis in found]


def test_a_better_hypothesis_replaces_a_finished_one() -> None:
    """EOS (0.4) and "A EOS" (0.15) have finished; "A A" (0.35) is still better, ends, and the worst is gone."""
    script = {(): [0.5, 0.1, 0.4], (A,): [0.7, 0.0, 0.3], (A, A): [0.0, 0.0, 1.0]}
    options: dict[str, Any] = {"beam_size": 2, "n_best": 2, "max_length": 4}
    found = scripted(script, **options)
    assert tokens(found) == [[A, A, EOS], [EOS]]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([math.log(0.35) / 3, math.log(0.4)])
    assert tokens(scripted(script, **options, stop="enough")) == [[EOS], [A, EOS]]


def test_an_end_symbol_counts_only_among_the_first_k() -> None:
    found = scripted({(): [0.4, 0.35, 0.25]}, beam_size=2, n_best=2, max_length=1)
    assert tokens(found) == [[A], [B]]
    assert [hypothesis.finish for hypothesis in found] == ["length", "length"]


def test_when_to_stop() -> None:
    """After "A EOS" and "B EOS" (0.25 each) have finished, "A A" (0.125) is live and gets longer at no cost.

    Divided by its length of 2 it is behind; divided by the greatest, it may still win, and does.
    """
    script = {
        (): [0.5, 0.5, 0.0],
        (A,): [0.25, 0.25, 0.5],
        (B,): [0.25, 0.25, 0.5],
        **{(A,) * n: [1.0, 0.0, 0.0] for n in range(2, 6)},
        (A,) * 6: [0.0, 0.0, 1.0],
        (A, B): [0.1, 0.1, 0.8],
        (B, A): [0.1, 0.1, 0.8],
        (B, B): [0.1, 0.1, 0.8],
    }
    options: dict[str, Any] = {"beam_size": 2, "n_best": 2, "length_penalty": 1.0, "max_length": 8}
    first = [[A, EOS], [B, EOS]]
    assert tokens(scripted(script, **options)) == first
    assert tokens(scripted(script, **options, stop="estimate")) == first
    assert tokens(scripted(script, **options, stop="enough")) == first
    assert tokens(scripted(script, **options, stop="longest"))[0] == [A] * 6 + [EOS]


def test_a_prefix_is_a_prompt() -> None:
    """It has no log-probability and no length, and an end symbol in it ends nothing."""
    script = {(): [0.9, 0.05, 0.05], (B, EOS): [0.5, 0.25, 0.25], (B, EOS, A): [0.25, 0.25, 0.5]}
    (found,) = scripted(script, (B, EOS), beam_size=1, max_new_tokens=3)
    assert found.tokens == [B, EOS, A, EOS]
    assert found.token_log_probs[:2] == [0.0, 0.0]
    assert found.log_prob == pytest.approx(math.log(0.25))
    assert found.score == found.log_prob / 2


def test_greedy_search_takes_the_likeliest_of_what_processors_leave() -> None:
    """Log-probabilities are those of what is left, unlike with beams: 0.3 / (0.3 + 0.2)."""
    options: dict[str, Any] = {"max_length": 1, "suppress": (A,)}
    (greedy,) = scripted({(): [0.5, 0.3, 0.2]}, beam_size=1, **options)
    (beam,) = scripted({(): [0.5, 0.3, 0.2]}, beam_size=2, **options)
    assert greedy.tokens == beam.tokens == [B]
    assert greedy.log_prob == pytest.approx(math.log(0.6))
    assert beam.log_prob == pytest.approx(math.log(0.3))


def test_the_limit_counts_the_end_symbol() -> None:
    script = {(): [0.4, 0.3, 0.3], (A,): [0.3, 0.3, 0.4]}
    assert tokens(scripted(script, beam_size=1, max_length=2)) == [[A, EOS]]
    assert tokens(scripted(script, beam_size=1, max_length=1)) == [[A]]
    assert tokens(scripted(script, beam_size=1, max_length=3, min_length=2)) == [[A, A, A]]
    (forced,) = scripted(script, beam_size=1, max_length=3, min_length=2, forced_last=EOS)
    assert forced.tokens == [A, A, EOS]
    assert forced.token_log_probs[-1] == 0.0
