"""``seq2seq_kit.search``: its arguments, its results and its refusals."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import seq2seq_kit
from seq2seq_kit import _engine
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError, UserError
from seq2seq_kit.interfaces import DecoderState, StepOutput

SCORES = torch.tensor([0.0, 0.0, 1.0, 3.0, 2.0]).log_softmax(0)  # EOS is 2


def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
    return SCORES.expand(*tokens.shape, 5)


def test_greedy_takes_the_best_token_until_the_limit() -> None:
    (only,) = search(step, options=SearchOptions(beam_size=1, max_length=3), batch_size=1)[0]
    assert only.tokens == [3, 3, 3, 2]
    assert only.token_log_probs == pytest.approx(SCORES[only.tokens].tolist())
    assert only.log_prob == pytest.approx(SCORES[only.tokens].sum().item())
    assert only.score == only.log_prob / 4


def test_package_offers_search() -> None:
    assert seq2seq_kit.search is search
    assert seq2seq_kit.Hypothesis is Hypothesis


def test_n_best_come_best_first() -> None:
    for sentence in search(step, options=SearchOptions(beam_size=4, n_best=4, max_length=5), batch_size=2):
        scores = [hypothesis.score for hypothesis in sentence]
        assert len(sentence) == 4 and scores == sorted(scores, reverse=True)
        assert len({tuple(hypothesis.tokens) for hypothesis in sentence}) == 4


def test_lengths_are_limited() -> None:
    lengths = [1, 4, 50]
    options = SearchOptions(beam_size=1, max_length=9, max_length_ratio=1.5, max_length_margin=2)
    found = search(step, options=options, source_lengths=torch.tensor(lengths))
    assert [len(sentence[0].tokens) - 1 for sentence in found] == [3, 8, 9]  # EOS not counted
    ends_at_once = lambda tokens, position, state: torch.eye(5)[2].expand(*tokens.shape, 5) * 9  # noqa: E731
    found = search(ends_at_once, options=SearchOptions(min_length=3), batch_size=1)
    assert len(found[0][0].tokens) - 1 == 3


def test_a_limit_below_min_length_wins() -> None:
    options = SearchOptions(min_length=5, max_length=9, max_length_ratio=1.0, max_length_margin=0)
    assert len(search(step, options=options, source_lengths=[2])[0][0].tokens) == 3


def test_without_eos_hypotheses_end_at_the_limit() -> None:
    (only,) = search(step, options=SearchOptions(beam_size=1, max_length=4, eos_ids=()), batch_size=1)[0]
    assert only.tokens == [3, 3, 3, 3]


def test_any_of_several_eos_ends() -> None:
    found = search(step, options=SearchOptions(beam_size=3, n_best=3, eos_ids=(4, 2)), batch_size=1)[0]
    assert {hypothesis.tokens[-1] for hypothesis in found} == {4, 2}


def test_nothing_to_search() -> None:
    assert search(step, batch_size=0) == []
    assert search(step, DecoderState(rows={"h": torch.zeros(0, 1, 3)})) == []
    assert search(step, source_lengths=torch.tensor([], dtype=torch.int64)) == []


def test_a_sentence_without_a_possible_end_has_no_hypothesis() -> None:
    def never_ends(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        scores = torch.zeros(*tokens.shape, 5)
        scores[:1, :, 2] = -torch.inf
        return scores

    found = search(never_ends, options=SearchOptions(beam_size=2, max_length=4), batch_size=2)
    assert found[0] == [] and len(found[1]) == 1

    nowhere = lambda tokens, position, state: torch.full((*tokens.shape, 5), -torch.inf)  # noqa: E731
    assert search(nowhere, batch_size=3) == [[], [], []]


def test_vocabulary_may_grow_and_shrink_between_steps() -> None:
    """Copying adds a batch's own words to the vocabulary."""

    def copying(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        scores = torch.zeros(*tokens.shape, 9 - int(position[0]))
        scores[..., -1] = 5
        return scores

    assert search(copying, options=SearchOptions(beam_size=1, max_length=3), batch_size=1)[0][0].tokens == [8, 7, 6, 2]


def test_attention_comes_where_asked_for_and_given() -> None:
    def attentive(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        weights = torch.arange(3.0).expand(*tokens.shape, 3) + position.view(-1, 1, 1)
        return StepOutput(step(tokens, position, state), attention=weights)

    for asked in (False, True):
        options = SearchOptions(beam_size=1, max_length=2, attention=asked)
        (only,) = search(attentive, options=options, batch_size=1)[0]
        (without,) = search(step, options=options, batch_size=1)[0]
        assert without.attention is None
        if asked:
            assert only.attention.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
            only.attention.mul_(2)  # an ordinary tensor, the caller's own
        else:
            assert only.attention is None


def test_attention_at_some_positions_only_is_refused() -> None:
    def forgetful(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        weights = torch.ones(*tokens.shape, 3) if position[0] == 1 else None
        return StepOutput(step(tokens, position, state), attention=weights)

    with pytest.raises(SearchError, match="attention at some positions and none at others"):
        search(forgetful, options=SearchOptions(beam_size=1, max_length=4, attention=True), batch_size=1)


def test_hypotheses_are_values() -> None:
    one = Hypothesis([3, 2], -0.5, -1.0, [-0.5, -0.5], attention=torch.zeros(2, 3))
    assert one == Hypothesis([3, 2], -0.5, -1.0, [-0.5, -0.5])
    with pytest.raises(FrozenInstanceError):
        one.score = 0.0  # type: ignore[misc]


REFUSED = [
    ({"beam_size": 0}, "search option beam_size = 0: must be between 1 and"),
    ({"beam_size": "5"}, "search option beam_size = '5': must be of type int"),
    ({"beam_size": 2.5}, "search option beam_size = 2.5: must be of type int"),
    ({"beam_size": 10**30}, "search option beam_size = 1000000"),
    ({"n_best": 6}, "search option n_best = 6: must be between 1 and beam_size = 5"),
    ({"length_penalty": -1.0}, "search option length_penalty = -1: must be finite and at least 0"),
    ({"length_penalty": float("nan")}, "search option length_penalty = nan: must be finite"),
    ({"min_length": 300}, "search option min_length = 300: must be between 0 and max_length = 256"),
    ({"max_length": 0}, "search option max_length = 0: must be between 1"),
    ({"max_length_ratio": -0.5}, "search option max_length_ratio = -0.5"),
    ({"max_length_ratio": 1.0}, "search option max_length_ratio needs source_lengths"),
    ({"max_length_margin": -1}, "search option max_length_margin = -1"),
    ({"bos_id": -1}, "search option bos_id = -1: must be at least 0"),
    ({"eos_ids": 2}, "search option eos_ids = 2: must be of type"),
    ({"eos_ids": (2, 2)}, "search option eos_ids = 2: must be distinct"),
    ({"eos_ids": (2, 5)}, "search option eos_ids = 5: the step scores only 5 tokens"),
    ({"semantics": "other"}, "search option semantics = 'other': must be one of 'kit'"),
    ({"numerics": "quick"}, "search option numerics = 'quick': must be one of 'reference', 'fast'"),
    ({"numerics": None}, "search option numerics = None: must be of type"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_an_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(step, options=SearchOptions(**options), batch_size=1)


def test_search_errors_are_the_users() -> None:
    assert issubclass(SearchError, UserError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "how many sentences are there"),
        ({"batch_size": 2, "source_lengths": [3]}, "batch_size = 2, but there are 1 source_lengths"),
        ({"batch_size": -1}, "batch_size = -1"),
        ({"source_lengths": [3.5]}, r"source_lengths = \[3.5\]"),
        ({"source_lengths": torch.zeros(2, 2)}, "source_lengths = .* one whole number"),
        (
            {"state": DecoderState(rows={"h": torch.zeros(3, 1)}), "batch_size": 2},
            r"state.rows\['h'\] has shape \[3, 1\], expected \[2, 1, ...\]",
        ),
        (
            {"state": DecoderState(rows={"h": torch.zeros(3, 4)})},
            r"state.rows\['h'\] has shape \[3, 4\], expected \[3, 1, ...\] = \[B, K = 1",
        ),
        ({"state": DecoderState(rows={"h": torch.zeros(3)})}, r"state.rows\['h'\] has shape \[3\]"),
        ({"state": DecoderState(rows={"h": torch.tensor(1.0)})}, r"state.rows\['h'\] has shape \[\]"),
        (
            {"state": DecoderState(rows={"h": torch.zeros(3, 1)}, sentences={"m": torch.zeros(2, 5)})},
            r"state.rows\['h'\] has shape \[3, 1\], expected \[2, 1, ...\]",
        ),
        (
            {"state": DecoderState(sentences={"m": torch.zeros(2, 5), "n": torch.zeros(3, 5)})},
            r"state.sentences\['n'\] has shape \[3, 5\], expected \[2, ...\] = \[B, ...\]",
        ),
        (
            {"state": DecoderState(history={"k": torch.zeros(2, 1, 0), "v": torch.zeros(2, 1, 3)})},
            r"state.history\['v'\] has shape \[2, 1, 3\]",
        ),
        ({"state": DecoderState(history={"k": torch.zeros(2, 1)})}, r"state.history\['k'\] has shape \[2, 1\]"),
        ({"state": DecoderState(rows={"h": None})}, r"state.rows\['h'\] is a NoneType"),  # type: ignore[dict-item]
        ({"state": {"h": torch.zeros(2, 1)}}, "state is a dict, expected a DecoderState"),
        (
            {"state": DecoderState(rows={"h": torch.zeros(2, 1), "c": torch.zeros(2, 1, device="meta")})},
            r"state.rows\['c'\] is on device meta, expected cpu",
        ),
    ],
)
def test_a_wrong_start_gets_a_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(step, **{"state": None, **arguments})


def test_options_are_the_same_struct_on_both_sides() -> None:
    native = _engine.SearchOptions()
    names = [name for name in dir(native) if not name.startswith("_") and not callable(getattr(native, name))]
    assert sorted(names) == sorted(field.name for field in fields(SearchOptions))
    for field in fields(SearchOptions):
        value = getattr(native, field.name)
        assert (tuple(value) if isinstance(value, list) else value) == field.default, field.name


def test_example_runs() -> None:
    """The example of a search over any callable: at most 20 lines of code."""
    example = Path(__file__).parents[2] / "examples" / "search_any_callable.py"
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, timeout=120)
    assert done.stdout == " -0.69 the cat sleeps <end>\n -1.10 the dog sleeps <end>\n -1.79 the dog <end>\n", (
        done.stderr
    )
    _, _, code = example.read_text(encoding="utf-8").partition('"""\n\n')
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
