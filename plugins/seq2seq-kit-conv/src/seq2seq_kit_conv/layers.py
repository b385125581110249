"""What encoder and decoder share: embeddings with positions, gated convolutions, initialisation.

Sums of two parts are scaled by sqrt(0.5) throughout, which keeps the variance where it was (section 3.5).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HALF = math.sqrt(0.5)


class PositionEmbedding(nn.Embedding):
    """Learned absolute positions; all from the last one on share its embedding."""

    def __init__(self, positions: int, size: int) -> None:
        super().__init__(positions, size)
        nn.init.normal_(self.weight, 0, 0.1)

    def forward(self, position: Tensor) -> Tensor:
        return super().forward(position.clamp(max=self.num_embeddings - 1))


class GatedConvolution(nn.Module):
    """A convolution and a gated linear unit, given each position's window: [..., kernel, H] -> [..., H].

    The convolution is written as a linear layer over windows, so that one position (a step of decoding) and all of them
    at once (training) are the same computation.
    """

    def __init__(self, size: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.kernel = kernel
        self.linear = nn.Linear(kernel * size, 2 * size)
        nn.init.normal_(self.linear.weight, 0, math.sqrt(4 * (1 - dropout) / (kernel * size)))
        nn.init.zeros_(self.linear.bias)

    def forward(self, windows: Tensor) -> Tensor:
        return F.glu(self.linear(windows.flatten(-2)), -1)


def windows(x: Tensor, kernel: int, left: int) -> Tensor:
    """Each position with ``left`` neighbours before it and the rest after, zeros at the ends: [B, T, kernel, H]."""
    padded = F.pad(x, (0, 0, left, kernel - 1 - left))  # [B, T + kernel - 1, H]
    return padded.unfold(1, kernel, 1).transpose(-1, -2)


def embedding(entries: int, size: int, pad_id: int) -> nn.Embedding:
    """Token embeddings from N(0, 0.1), padding 0."""
    layer = nn.Embedding(entries, size, padding_idx=pad_id)
    with torch.no_grad():
        layer.weight.normal_(0, 0.1)
        layer.weight[pad_id] = 0
    return layer


def linear(inputs: int, outputs: int, dropout: float = 0.0) -> nn.Linear:
    """A linear layer whose output has its input's variance after dropout (section 3.5)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0, math.sqrt((1 - dropout) / inputs))
    nn.init.zeros_(layer.bias)
    return layer
