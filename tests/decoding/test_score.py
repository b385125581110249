"""Forced scoring says of an output what the search said of it."""

from __future__ import annotations

import pytest
import torch
from table_step import TableStep
from tiny_models import tiny_batch, tiny_model

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.score import rank, score_batch, score_by_steps
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError

RANKINGS = [
    {},
    {"length_penalty": 0.6, "length_penalty_offset": 5.0},
    {"word_penalty": -0.3, "brevity_penalty": 2.0, "brevity_ratio": 1.3},
    {"temperature": 1.7},
]


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_hypothesis_scores_what_the_search_said(ranking: dict[str, float]) -> None:
    step = TableStep(torch.randn(5, 97, 30, generator=torch.Generator().manual_seed(1)) * 2)
    options = SearchOptions(beam_size=4, n_best=4, max_length=9, numerics="reference", **ranking)
    sentences = [SentenceInput(source_length=6)] * 5
    found = search(step, step.state(), options, sentences=sentences)
    for place in range(4):
        targets = [sentence[place].tokens for sentence in found]
        scored = score_by_steps(step, step.state(), targets, options, source_lengths=[6] * 5)
        for hypothesis, score in zip([sentence[place] for sentence in found], scored, strict=True):
            assert (score.tokens, score.token_log_probs) == (hypothesis.tokens, hypothesis.token_log_probs)
            assert (score.log_prob, score.score) == (hypothesis.log_prob, hypothesis.score)
    candidates = [score_by_steps(step, step.state([0]), [h.tokens], options, source_lengths=[6])[0] for h in found[0]]
    assert rank(candidates[::-1]) == [3, 2, 1, 0]


def test_perplexity_of_a_whole_and_of_a_prefix() -> None:
    uniform = score_by_steps(lambda tokens, position, state: torch.zeros(*tokens.shape, 8), None, [[5, 6, 2]])[0]
    assert uniform.perplexity == pytest.approx(8)
    assert uniform.prefix_perplexity(1) == pytest.approx(8)
    with pytest.raises(SearchError, match="length = 4: must be between 1 and the target's 3 tokens"):
        uniform.prefix_perplexity(4)


def test_mistakes_get_a_sentence() -> None:
    with pytest.raises(SearchError, match=r"target 1 = \[\]: must be token ids"):
        score_by_steps(lambda tokens, position, state: torch.zeros(*tokens.shape, 8), None, [[5], []])
    with pytest.raises(SearchError, match="a target has token 8: the model scores 8"):
        score_by_steps(lambda tokens, position, state: torch.zeros(*tokens.shape, 8), None, [[5, 8]])
    with pytest.raises(SearchError, match="there are 4 sentences, but 1 targets"):
        score_batch(tiny_model(), tiny_batch(), [[5, 2]])


def test_teacher_forcing_and_steps_agree() -> None:
    model, batch = tiny_model(), tiny_batch()
    targets = [[5, 6, 2], [4, 2], [7, 5, 6, 4, 2], [2]]
    memory = model.encoder(batch)
    state = model.decoder.init_state(memory, len(batch))
    lengths = batch.source_mask.sum(1).tolist()
    by_steps = score_by_steps(model.decoder.step, state, targets, source_lengths=lengths)
    for one, other in zip(score_batch(model, batch, targets), by_steps, strict=True):
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-5)
        assert one.score == pytest.approx(other.score, abs=1e-5)
