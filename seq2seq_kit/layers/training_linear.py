"""``F.linear`` for training in float32 on a CPU, where oneDNN multiplies faster than what torch calls for it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from seq2seq_kit.layers.onednn import onednn_serves

LEAST_WORK = 2**24
"""Below so many multiplications the calls cost what the products save."""


def training_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear``: x [..., D], weight [N, D], bias [N] -> [..., N]. It cannot be differentiated twice.

    For float32 products torch calls MKL, whose kernels reach 75 to 90% of an AMD CPU's speed in float32, and oneDNN's
    95 to 100%: a training step of a small Transformer takes a tenth less. The products with regard to the weight are
    left to MKL, which is the faster there.
    """
    return _Linear.apply(x, weight, bias) if _serves(x, weight) else F.linear(x, weight, bias)  # type: ignore


def _serves(x: Tensor, weight: Tensor) -> bool:
    """Whether a product is one that oneDNN is faster at, to be computed as exactly as F.linear would."""
    return (
        onednn_serves(x, weight)  # first: sizes must not be looked at while compiling
        and x.numel() * weight.shape[0] >= LEAST_WORK
        and torch.is_grad_enabled()
        and torch.get_float32_matmul_precision() == "highest"
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = upstream.flatten(0, -2)  # [n, N]
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            _product(upstream, weight.t(), None) if for_x else None,
            rows.t() @ x.flatten(0, -2) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )
