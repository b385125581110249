"""Token embeddings that start small, for an output layer's sake, and are made larger where they are read."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ScaledEmbedding(nn.Embedding):
    """Embeddings from N(0, 1/D), multiplied by ``scale`` when looked up; ``weight`` is the matrix before that.

    With ``scale`` = √D they have variance 1, while the same matrix in an output layer gives logits of variance 1
    (Vaswani et al. 2017, section 3.4). Padding starts at 0.
    """

    def __init__(self, vocab_size: int, size: int, pad_id: int, scale: float) -> None:
        super().__init__(vocab_size, size, padding_idx=pad_id)
        self.scale = scale
        with torch.no_grad():
            self.weight.normal_(std=size**-0.5)[pad_id] = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """[...] int64 -> [..., D]"""
        embedded = super().forward(tokens)
        return embedded if self.scale == 1 else embedded * self.scale
