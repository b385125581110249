"""Dot-product attention whose context passes a gate that the query opens."""

from __future__ import annotations

import torch
from pydantic import Field
from seq2seq_kit import Attention, ComponentConfig, Memory, MemorySpec
from torch import Tensor, nn


class FrozenAttentionConfig(ComponentConfig):
    """The options of :class:`FrozenAttention`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    size: int = Field(default=64, ge=1)
    """Width of queries and keys."""


class FrozenAttention(Attention):
    """Scores each source position by the dot product of query and key (see ``Attention`` for the contract)."""

    def __init__(self, config: FrozenAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        self.context_size = memory.size
        self.query = nn.Linear(query_size, config.size)
        self.key = nn.Linear(memory.size, config.size)
        self.gate = nn.Linear(query_size, memory.size)

    def project(self, memory: Memory) -> dict[str, Tensor]:
        """All that depends on the source alone, [B, ...] each; called once a sentence."""
        values = memory.states.masked_fill(~memory.mask.unsqueeze(2), 0)  # [B, S', H]
        return {"keys": self.key(values), "values": values, "mask": memory.mask}

    def forward(
        self, query: Tensor, projected: dict[str, Tensor], state: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Context [B, Q, H], weights [B, Q, S'] and the state, of queries [B, Q, D]."""
        scores = self.query(query) @ projected["keys"].transpose(1, 2)  # [B, Q, S']
        padding = ~projected["mask"].unsqueeze(1)  # [B, 1, S']
        lowest = torch.finfo(scores.dtype).min  # not -inf: a source without any token would give NaN
        weights = scores.masked_fill(padding, lowest).softmax(-1).masked_fill(padding, 0)
        context = weights @ projected["values"]
        return torch.sigmoid(self.gate(query)) * context, weights, state
