"""Scaled dot-product attention with one head (Vaswani et al. 2017, "Attention is all you need", equation 1)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit.attention.functional import masked_softmax, real_states
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict


class ScaledDotAttentionConfig(ComponentConfig):
    """Scaled dot-product attention."""

    name: str = "scaled_dot"
    size: int | None = Field(default=None, ge=1)
    """Width of projected queries and keys; null: the decoder's size."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of dropping a weight in training."""


class ScaledDotAttention(Attention):
    """score(q, s) = (W q) · (U s) / √size; the context is the weighted sum of the encoder's states themselves."""

    def __init__(self, config: ScaledDotAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        size = config.size or query_size
        self.context_size = memory.size
        self.scale = size**-0.5
        self.query = nn.Linear(query_size, size)
        self.key = nn.Linear(memory.size, size)
        self.dropout = nn.Dropout(config.dropout)

    def project(self, memory: Memory) -> TensorDict:
        values = real_states(memory)
        return {"keys": self.key(values) * self.scale, "values": values, "mask": memory.mask}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        scores = torch.bmm(self.query(query), projected["keys"].transpose(1, 2))  # [B, Q, S']
        weights = masked_softmax(scores, projected["mask"].unsqueeze(1))
        return torch.bmm(self.dropout(weights), projected["values"]), weights, state
