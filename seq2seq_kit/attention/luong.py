"""Multiplicative attention (Luong, Pham & Manning 2015, "Effective approaches to attention-based neural machine
translation", equation 8: global attention with the scores dot, general and concat)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from seq2seq_kit.attention.functional import additive_scores, masked_softmax, real_states
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict


class LuongAttentionConfig(ComponentConfig):
    """Luong's global attention."""

    name: str = "luong"
    score: Literal["dot", "general", "concat"] = "general"
    """``dot``: q · s, without parameters, for equal sizes; ``general``: q · W s; ``concat``: v · tanh(W [q; s])."""


class LuongAttention(Attention):
    """The context is the sum of the encoder's states, weighted by the softmax of the score.

    ``concat`` is computed as v · tanh(W₁ q + W₂ s), the same function, so that W₂ s is computed once a sentence.
    """

    def __init__(self, config: LuongAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        self.score = config.score
        self.context_size = memory.size
        if self.score == "dot" and query_size != memory.size:
            raise ConfigError(
                f"attention luong with score 'dot' needs a decoder as wide as the memory, but the decoder has size "
                f"{query_size} and the encoder's states have size {memory.size}: make them equal, or use score "
                "'general'"
            )
        if self.score != "dot":
            self.key = nn.Linear(memory.size, query_size, bias=False)
        if self.score == "concat":
            self.query = nn.Linear(query_size, query_size, bias=False)
            self.energy = nn.Linear(query_size, 1, bias=False)

    def project(self, memory: Memory) -> TensorDict:
        values = real_states(memory)
        keys = values if self.score == "dot" else self.key(values)
        return {"keys": keys, "values": values, "mask": memory.mask}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        keys = projected["keys"]  # [B, S', D]
        if self.score == "concat":
            scores = additive_scores(self.query(query), keys, self.energy.weight[0])
        else:
            scores = torch.bmm(query, keys.transpose(1, 2))  # [B, Q, S']
        weights = masked_softmax(scores, projected["mask"].unsqueeze(1))
        return torch.bmm(weights, projected["values"]), weights, state
