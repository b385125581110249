"""What comes with a hypothesis: likeliest tokens of each step, coverage in its score, why it ended."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from table_step import TableStep

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import Coverage, SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, StepOutput


def tables(vocab: int = 25, batch: int = 5) -> TableStep:
    return TableStep(torch.randn(batch, 97, vocab, generator=torch.Generator().manual_seed(8)) * 2)


@pytest.mark.parametrize("numerics", ["reference", "fast"])
def test_top_tokens_are_those_of_the_hypothesis_own_past(numerics: str) -> None:
    step = tables()
    options = SearchOptions(beam_size=4, n_best=4, max_length=9, top_tokens=3, numerics=numerics, no_repeat_ngram=2)
    found = search(step, step.state(), options)
    for b, sentence in enumerate(found):
        for hypothesis in sentence:
            assert len(hypothesis.top_tokens) == len(hypothesis.tokens)
            for position, top in enumerate(hypothesis.top_tokens):
                prefix = hypothesis.tokens[:position]
                row = torch.log_softmax(step.scores(b)(prefix), -1)
                seen = set(itertools.pairwise(prefix))
                allowed = [t for t in range(25) if not prefix or (prefix[-1], t) not in seen]
                if position == options.max_length:
                    allowed = [2]
                expected = sorted(allowed, key=lambda token: -row[token].item())[:3]
                assert [token for token, _ in top] == expected
                assert [p for _, p in top] == pytest.approx([row[token].item() for token in expected], abs=1e-5)
    plain = search(step, step.state(), SearchOptions(**{**vars(options), "top_tokens": 0}))
    assert [[h.tokens for h in s] for s in plain] == [[h.tokens for h in s] for s in found]
    assert plain[0][0].top_tokens == []


def attentive(step: TableStep, seed: int = 0):  # type: ignore[no-untyped-def]
    """The table step with attention [S' = 4] that depends on the whole past; the last position is padding."""
    weights = torch.rand(4, 97, 3, generator=torch.Generator().manual_seed(seed))

    def attention_of(sentence: int, prefix: list[int]) -> torch.Tensor:
        place = step.attention(sentence, [*prefix, 0])[-1]
        row = weights[sentence % 4, int(place[1] + place[2]) % 97]
        return torch.cat([row / row.sum(), torch.zeros(1)])

    def call(tokens: torch.Tensor, position: torch.Tensor, state: DecoderState) -> StepOutput:
        output = step(tokens, position, state)
        assert output.attention is not None
        place = (output.attention[..., 1] + output.attention[..., 2]).long() % 97  # [B, K]
        rows = weights[output.attention[..., 0].long() % 4, place]
        output.attention = torch.cat([rows / rows.sum(-1, keepdim=True), torch.zeros(*rows.shape[:2], 1)], -1)
        return output

    return call, attention_of


@pytest.mark.parametrize("coverage", ["wu", "see"])
@pytest.mark.parametrize("shrink", [True, False])
def test_coverage_is_counted_along_the_hypothesis(coverage: Coverage, shrink: bool) -> None:
    step = tables()
    call, attention_of = attentive(step)
    options = SearchOptions(
        beam_size=4, n_best=4, max_length=9, coverage_penalty=0.3, coverage=coverage, length_penalty=0.7
    )
    found = search(call, step.state(), options, _shrink=shrink)
    for b, sentence in enumerate(found):
        assert sentence == sorted(sentence, key=lambda hypothesis: -hypothesis.score)
        for hypothesis in sentence:
            total, repeated = torch.zeros(4), 0.0
            for position in range(len(hypothesis.tokens)):
                row = attention_of(b, hypothesis.tokens[:position])
                repeated += torch.minimum(row, total).sum().item()
                total = total + row
            wu = sum(math.log(min(x, 1.0)) for x in total.tolist() if x > 0)
            penalty = wu if coverage == "wu" else -repeated
            expected = hypothesis.log_prob / len(hypothesis.tokens) ** 0.7 + 0.3 * penalty
            assert hypothesis.score == pytest.approx(expected, abs=1e-5)


def test_coverage_without_attention_gets_a_sentence() -> None:
    with pytest.raises(SearchError, match="coverage_penalty needs a step that gives attention"):
        search(
            lambda tokens, position, state: torch.zeros(*tokens.shape, 5),
            options=SearchOptions(coverage_penalty=0.1),
            batch_size=1,
        )


def test_why_a_hypothesis_ended() -> None:
    table = torch.zeros(1, 1, 6)
    table[..., 2] = -5
    step = TableStep(table)
    options = SearchOptions(beam_size=2, n_best=2, max_length=3)
    assert {h.finish for h in search(step, step.state(), options)[0]} == {"length"}
    table[..., 2] = 5
    assert search(step, step.state(), options, sentences=[SentenceInput()])[0][0].finish == "eos"
