"""The residual connection for training on a CPU: sum, dropout and norm in one pass over memory, and one back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from seq2seq_kit.layers.kernels import kernels_serve

if TYPE_CHECKING:
    from seq2seq_kit._engine import ResidualOptions


def training_residual_serves(x: Tensor, y: Tensor, norm: nn.Module | None) -> bool:
    """Whether :func:`training_residual` can be used: for a sublayer's result in bfloat16 too, as autocast makes it."""
    return (
        torch.is_grad_enabled()
        and (kernels_serve(x, y) or (x.dtype == torch.float32 and kernels_serve(x) and kernels_serve(y)))
        and x.shape == y.shape
        and (norm is None or _is_plain(norm))
    )


def training_residual(x: Tensor, y: Tensor, probability: float, norm: nn.Module | None) -> Tensor:
    """norm(x + dropout(y)), or without a norm x + dropout(y): x and y [..., H] -> [..., H]. Not differentiable twice.

    No mask is kept for the backward pass: what is dropped is a function of a seed and of the place alone, and the seed
    is drawn from torch's generator, so that ``torch.manual_seed`` and a resumed run repeat it.
    """
    weight, bias, epsilon = getattr(norm, "weight", None), getattr(norm, "bias", None), getattr(norm, "eps", 0.0)
    seed = int(torch.randint(2**63 - 1, ())) if probability else 0
    result: Tensor = _Residual.apply(x, y, weight, bias, epsilon, probability, seed)  # type: ignore[no-untyped-call]
    return result


def _is_plain(norm: nn.Module) -> bool:
    """Whether a norm is one of those that ``make_norm`` makes, in float32, and nothing hangs on its being called."""
    parameters = list(norm.parameters())
    return (
        type(norm) in (nn.LayerNorm, nn.RMSNorm)
        and len(parameters) == (2 if isinstance(norm, nn.LayerNorm) else 1)
        and not (norm._forward_hooks or norm._forward_pre_hooks or norm._backward_hooks)
        and all(type(p) is nn.Parameter and p.is_cpu and p.dtype == torch.float32 for p in parameters)
    )


class _Residual(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        epsilon: float,
        probability: float,
        seed: int,
    ) -> Tensor:
        from seq2seq_kit._engine import residual

        ctx.numbers = epsilon, probability, seed
        ctx.y_type = y.dtype
        result, sums, moments = residual(x, y, _options(weight, bias, *ctx.numbers))
        ctx.save_for_backward(sums, moments, weight, bias)
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        from seq2seq_kit._engine import residual_backward

        sums, moments, weight, bias = ctx.saved_tensors
        options = _options(weight, bias, *ctx.numbers)
        of_x, of_y, of_weight, of_bias = residual_backward(slope, sums, moments, ctx.y_type, options)
        return of_x, of_y, None if weight is None else of_weight, None if bias is None else of_bias, None, None, None


def _options(
    weight: Tensor | None, bias: Tensor | None, epsilon: float, probability: float, seed: int
) -> ResidualOptions:
    from seq2seq_kit._engine import ResidualOptions

    return ResidualOptions(weight, bias, epsilon, probability, seed)
