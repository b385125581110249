"""``numerics="fast"`` finds what ``"reference"`` finds, but for near-ties."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import search_options, table_steps
from table_step import TableStep

from seq2seq_kit.decoding.options import Numerics, SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import StepOutput

NEAR_TIE = 1e-5


@pytest.mark.parametrize(("vocab", "prefixes"), [(50, 20_011), (8000, 499)])
def test_same_tokens_but_for_near_ties(vocab: int, prefixes: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A tie within a beam may be broken the other way and lead elsewhere; that is rare, and counted."""
    ties = total = 0
    for seed in range(20):
        step = TableStep(torch.randn(4, prefixes, vocab, generator=torch.Generator().manual_seed(seed)) * 3)
        options = [SearchOptions(5, 5, max_length=12, numerics=numerics) for numerics in ("reference", "fast")]
        for expected, found in zip(*(search(step, step.state(), each) for each in options), strict=True):
            total += 1
            if [hypothesis.tokens for hypothesis in found] != [hypothesis.tokens for hypothesis in expected]:
                ties += 1
                continue
            for one, other in zip(found, expected, strict=True):
                assert one.score == pytest.approx(other.score, abs=NEAR_TIE)
                assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=NEAR_TIE)
    with capsys.disabled():
        print(f" [near-ties: {ties} of {total} lists]", end="")
    assert ties <= total / 100


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_log_probabilities_need_no_fusing(data: st.DataObject) -> None:
    """Where there is nothing to normalise, fast and reference are the same bits."""
    step = data.draw(table_steps().filter(lambda step: step.kind == "log_probs"))
    options = data.draw(search_options(step.table.shape[2]))
    options = replace(options, temperature=1.0)  # any other one normalises
    fast = replace(options, numerics="fast")
    lengths = [8] * len(step.table)
    assert search(step, step.state(), fast, source_lengths=lengths) == search(
        step, step.state(), options, source_lengths=lengths
    )


@pytest.mark.parametrize("numerics", ["reference", "fast"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_any_floating_type_are_searched_in_float32(dtype: torch.dtype, numerics: Numerics) -> None:
    table = torch.randn(4, 17, 33, generator=torch.Generator().manual_seed(5)).to(dtype)
    options = SearchOptions(3, 3, max_length=7, numerics=numerics)
    step, converted = TableStep(table), TableStep(table.float())
    assert search(step, step.state(), options) == search(converted, converted.state(), options)


@pytest.mark.parametrize("numerics", ["reference", "fast"])
def test_scores_need_not_be_contiguous(numerics: Numerics) -> None:
    step = TableStep(torch.randn(4, 17, 66, generator=torch.Generator().manual_seed(6)))
    narrow, copied = TableStep(step.table[:, :, ::2]), TableStep(step.table[:, :, ::2].contiguous())
    strided = lambda tokens, position, state: every_other(step(tokens, position, state))  # noqa: E731
    options = SearchOptions(3, 3, max_length=7, numerics=numerics)
    assert search(narrow, narrow.state(), options) == search(copied, copied.state(), options)
    assert search(strided, step.state(), options) == search(copied, copied.state(), options)


def every_other(output: StepOutput) -> StepOutput:
    output.scores = output.scores[:, :, ::2]
    assert not output.scores.is_contiguous()
    return output
