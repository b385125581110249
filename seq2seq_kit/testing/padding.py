"""Other padding: what a sequence must not notice."""

from __future__ import annotations

import torch
from torch import Tensor

ADDED = 2
"""Positions by which a sequence is padded more."""


def fill(x: Tensor, where: Tensor) -> Tensor:
    """``x`` [B, S', ...] with anything else ``where`` [B, S']: finite, and valid for what ``x`` holds (ids, say)."""
    return torch.where(where.reshape(*where.shape, *[1] * (x.dim() - 2)), _anything_else(x), x)


def widen(x: Tensor) -> Tensor:
    """``x`` [B, S', ...] with ``ADDED`` more positions that hold anything."""
    return torch.cat([x, _anything_else(x[:, :1]).expand(-1, ADDED, *x.shape[2:])], 1)


def _anything_else(x: Tensor) -> Tensor:
    if x.is_floating_point():
        return 10 * torch.randn_like(x)
    return ~x if x.dtype == torch.bool else x.flip(1).roll(1, 0)
