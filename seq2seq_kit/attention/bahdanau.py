"""Additive attention (Bahdanau, Cho & Bengio 2015, "Neural machine translation by jointly learning to align and
translate", appendix A.1.2)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit.attention.functional import additive_scores, masked_softmax, real_states
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict


class BahdanauAttentionConfig(ComponentConfig):
    """Additive attention."""

    name: str = "bahdanau"
    size: int | None = Field(default=None, ge=1)
    """Width of the hidden layer that compares query and key; null: the decoder's size."""


class BahdanauAttention(Attention):
    """score(q, s) = v · tanh(W q + U s); the context is the weighted sum of the encoder's states.

    The paper looks up with the decoder's previous state: ``query: previous`` in the decoder's section.
    """

    def __init__(self, config: BahdanauAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        size = config.size or query_size
        self.context_size = memory.size
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory.size, size)
        self.energy = nn.Linear(size, 1, bias=False)

    def project(self, memory: Memory) -> TensorDict:
        values = real_states(memory)
        return {"keys": self.key(values), "values": values, "mask": memory.mask}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        scores = additive_scores(self.query(query), projected["keys"], self.energy.weight[0])  # [B, Q, S']
        weights = masked_softmax(scores, projected["mask"].unsqueeze(1))
        return torch.bmm(weights, projected["values"]), weights, state
