"""Attention by the engine's kernels is the products of matrices and the softmax, forward and backward."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from seq2seq_kit.attention import training_attention as module
from seq2seq_kit.attention.functional import attend
from seq2seq_kit.attention.training_attention import training_attention, training_attention_serves
from seq2seq_kit.layers.dropout import Dropout


def plain(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, ...]:
    """In float64; what no key is seen by has a context of zeros."""
    query, keys, values = (x.detach().double().requires_grad_() for x in (query, keys, values))
    shared = query.shape[1] // keys.shape[1]
    scores = scale * query @ keys.repeat_interleave(shared, 1).transpose(2, 3)
    scores = scores if bias is None else scores + bias.double()
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -math.inf)
    blind = scores.amax(-1, keepdim=True) == -math.inf
    weights = scores.masked_fill(blind, 0).softmax(-1).masked_fill(blind, 0)
    return query, keys, values, weights @ values.repeat_interleave(shared, 1)


def check(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, causal: bool, scale: float) -> None:
    query, keys, values = inputs = [x.detach().requires_grad_() for x in (query, keys, values)]
    found = training_attention(query, keys, values, bias, causal, scale)
    *exact, expected = plain(query, keys, values, bias, causal, scale)
    upstream = torch.randn(found.shape, dtype=found.dtype)
    gradients = torch.autograd.grad(found, inputs, upstream)
    wanted = torch.autograd.grad(expected, exact, upstream.double())
    tolerance = 2e-2 if query.dtype == torch.bfloat16 else 1e-5
    for ours, theirs in zip((found, *gradients), (expected, *wanted), strict=True):
        assert ours.dtype == query.dtype
        torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 8, 17, 64])
def test_it_is_attention_of_any_size(dtype: torch.dtype, groups: int, size: int) -> None:
    torch.manual_seed(size)
    for queries, keys, causal in product((1, 3, 37), (1, 16, 45), (False, True)):
        query, key, value = (
            torch.randn(2, n, length, size).to(dtype) for n, length in ((4, queries), (groups, keys), (groups, keys))
        )
        check(query, key, value, None, causal, size**-0.5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(3, 1, 1, 19), (1, 4, 21, 19), (3, 4, 21, 19), (1, 1, 21, 1)])
def test_a_bias_is_added_and_bars_keys(shape: tuple[int, ...], causal: bool) -> None:
    torch.manual_seed(0)
    bias = torch.randn(shape).masked_fill(torch.rand(shape) < 0.3, -math.inf)
    bias[0, 0, 0] = -math.inf  # there is a query that sees nothing
    check(torch.randn(3, 4, 21, 8), torch.randn(3, 2, 19, 8), torch.randn(3, 2, 19, 8), bias, causal, 0.3)


def test_numbers_are_read_and_gradients_written_wherever_they_lie() -> None:
    torch.manual_seed(0)
    joined = torch.randn(2, 5, 12, 8)  # queries, keys and values of one product
    query, keys, values = (x.transpose(1, 2) for x in joined.split(4, 2))
    check(query, keys, values, None, True, 0.5)
    odd = torch.randn(2, 8, 5, 4).permute(0, 3, 2, 1)  # [2, 4, 5, 8], the last dimension with a stride
    check(odd, keys, values, None, False, 0.5)
    query, keys, values = (x.detach().requires_grad_() for x in (query, keys, values))
    spread = torch.ones(()).expand(2, 4, 5, 8)
    contexts = training_attention(query, keys, values, None, False, 1.0)
    ours, dense = (torch.autograd.grad(contexts, keys, x, retain_graph=True) for x in (spread, spread.contiguous()))
    assert torch.equal(*ours, *dense)


def test_extreme_scores_and_nothing_at_all() -> None:
    large = torch.full((1, 1, 2, 4), 1e4)
    large[..., 1, :] *= -1
    check(large, large, torch.randn(1, 1, 2, 4), None, False, 1.0)
    wrong = torch.full((1, 1, 3, 4), math.nan)
    assert training_attention(wrong, torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4), None, False, 1.0).isnan().all()
    for batch, queries, keys in ((0, 3, 3), (2, 0, 3), (2, 3, 0)):
        query, key, value = (torch.randn(batch, 4, n, 8, requires_grad=True) for n in (queries, keys, keys))
        contexts = training_attention(query, key, value, None, False, 1.0)
        assert not contexts.any() and contexts.shape == (batch, 4, queries, 8)
        assert not any(x.any() for x in torch.autograd.grad(contexts.sum(), [query, key, value]))


def test_it_is_the_same_on_two_threads() -> None:
    torch.manual_seed(0)
    query, keys, values = (torch.randn(7, 4, 33, 8, requires_grad=True) for _ in range(3))
    found, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            contexts = training_attention(query, keys, values, None, True, 1.0)
            found.append([contexts, *torch.autograd.grad(contexts.square().sum(), [query, keys, values])])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_it_serves_where_it_computes_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 4, 5, 8, requires_grad=True)
    assert training_attention_serves(x, x, x, torch.zeros(1, 1, 5, 5))
    assert not training_attention_serves(x, x, x, torch.zeros(1, 1, 5, 5, requires_grad=True))
    assert not training_attention_serves(x, x.bfloat16(), x, None)
    assert not training_attention_serves(x.double(), x.double(), x.double(), None)
    long = torch.randn(1, 1, module.LONGEST + 1, 8)
    assert not training_attention_serves(long, long, long, None)
    with torch.no_grad():
        assert not training_attention_serves(x, x, x, None)
    called = []
    monkeypatch.setattr("seq2seq_kit.attention.functional.training_attention", lambda *given: called.append(given))
    attend(x, x, x, None, Dropout(0.1).eval())
    attend(x, x, x, None, Dropout(0.1))
    assert len(called) == 1
