"""Attention that knows where it has looked, and the loss that punishes looking there again (See et al. 2017, section
2.3)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit import Attention, ComponentConfig, Memory, MemorySpec

TensorDict = dict[str, Tensor]


class CoverageAttentionConfig(ComponentConfig):
    """Additive attention that knows where it has looked so far."""

    name: str = "coverage"
    size: int | None = Field(default=None, ge=1)
    """Width of the hidden layer that compares query, key and coverage; null: the decoder's size."""


class CoverageAttention(Attention):
    """score(s, h_i) = v · tanh(W_h h_i + W_s s + w_c c_i + b), with c the sum of all weights so far (equation 11).

    The state is that sum, ``coverage`` [B, Q, S']; before the first step it is zero.
    """

    recurrent = True

    def __init__(self, config: CoverageAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        size = config.size or query_size
        self.context_size = memory.size
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory.size, size)
        self.coverage = nn.Linear(1, size, bias=False)
        self.energy = nn.Linear(size, 1, bias=False)

    def project(self, memory: Memory) -> TensorDict:
        values = memory.states.masked_fill(~memory.mask.unsqueeze(-1), 0)
        return {"keys": self.key(values), "values": values, "mask": memory.mask}

    def init_state(self, projected: TensorDict) -> TensorDict:
        return {"coverage": projected["values"].new_zeros(projected["mask"].shape).unsqueeze(1)}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        coverage = state["coverage"]  # [B, Q, S']
        hidden = self.query(query).unsqueeze(2) + projected["keys"].unsqueeze(1) + self.coverage(coverage.unsqueeze(-1))
        scores = self.energy(torch.tanh(hidden)).squeeze(-1)  # [B, Q, S']
        padding = ~projected["mask"].unsqueeze(1)
        # Not -inf, whose softmax is NaN for a source without any real position.
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
        return torch.bmm(weights, projected["values"]), weights, {"coverage": coverage + weights}


def coverage_loss(attention: Tensor, real: Tensor) -> Tensor:
    """Σ_t Σ_i min(a_ti, c_ti) with c_t = Σ_{t' < t} a_t', over real target positions (equations 10 and 12).

    Args:
        attention: [B, T, S'].
        real: [B, T] bool.
    """
    coverage = attention.cumsum(1) - attention
    return (torch.minimum(attention, coverage).sum(-1) * real).sum()
