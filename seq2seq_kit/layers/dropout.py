"""Dropout (Srivastava et al. 2014), with cheaper random numbers on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16
"""How many probabilities there are on a CPU."""


class Dropout(nn.Module):
    """In training, zeros with ``probability``, the rest made larger to match; ``nn.Dropout`` but for the numbers drawn.

    On a CPU, ``nn.Dropout`` spends most of its time on a 64-bit number for each entry; here four entries share one,
    and the probability is rounded to a multiple of 2⁻¹⁶. With 0 there is no copy.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """[...] -> [...]"""
        if not self.training or not self.probability:
            return x
        if not x.is_cpu or torch.compiler.is_compiling():
            return F.dropout(x, self.probability)
        return x * keep_mask(x, self.probability)

    def extra_repr(self) -> str:
        return f"probability={self.probability}"


class WordDropout(Dropout):
    """Dropout of whole embeddings [B, T, D] (Gal & Ghahramani 2016, "A theoretically grounded application of dropout in
    recurrent neural networks")."""

    def forward(self, x: Tensor) -> Tensor:
        return x * super().forward(torch.ones_like(x[..., :1])) if self.training and self.probability else x


def keep_mask(like: Tensor, probability: float) -> Tensor:
    """0 with ``probability``, otherwise what keeps the mean; of the shape and dtype of ``like``, on the CPU."""
    count, dropped = like.numel(), min(round(probability * LEVELS), LEVELS - 1)
    words = torch.empty((count + 3) // 4, dtype=torch.int64, device=like.device).random_(-(2**63), None)
    draws = words.view(torch.int16)[:count].view(like.shape)  # uniform from -LEVELS / 2
    return (draws >= dropped - LEVELS // 2).to(like.dtype).mul_(LEVELS / (LEVELS - dropped))
