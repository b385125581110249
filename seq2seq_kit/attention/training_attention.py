"""Attention in several heads for training on a CPU, in our own kernels: torch's are made for long sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seq2seq_kit.layers.kernels import kernels_serve

LONGEST = 512
"""Keys and queries; beyond, torch's kernels, which keep less of a sequence at hand, are as quick."""


def training_attention_serves(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> bool:
    """Whether :func:`training_attention` can be used, and is the quicker."""
    return (
        torch.is_grad_enabled()
        and kernels_serve(query, keys, values)
        and max(query.shape[2], keys.shape[2]) <= LONGEST
        and (bias is None or not bias.requires_grad)
    )


def training_attention(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, causal: bool, scale: float
) -> Tensor:
    """As ``functional.attend``, without dropout. It cannot be differentiated twice.

    Computed in float32; queries, keys and values are read where they lie, whatever their strides, and the contexts
    [N, heads, Q, D] lie in memory as [N, Q, heads, D]. A query that sees no key has a context of zeros.
    """
    if bias is not None:
        bias = bias.float().expand(*query.shape[:3], keys.shape[2])
    contexts: Tensor = _Attention.apply(query, keys, values, bias, causal, scale)  # type: ignore[no-untyped-call]
    return contexts


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, causal: bool, scale: float
    ) -> Tensor:
        from seq2seq_kit._engine import attend

        contexts, norms = attend(query, keys, values, bias, causal, scale)
        ctx.save_for_backward(query, keys, values, bias, norms)
        ctx.causal, ctx.scale = causal, scale
        return contexts

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        from seq2seq_kit._engine import attend_backward

        query, keys, values, bias, norms = ctx.saved_tensors
        gradients = attend_backward(slope, query, keys, values, bias, norms, ctx.causal, ctx.scale)
        return *gradients, None, None, None
