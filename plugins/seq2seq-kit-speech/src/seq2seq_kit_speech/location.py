"""Location-aware attention (Chorowski et al. 2015, "Attention-based models for speech recognition")."""

from __future__ import annotations

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from seq2seq_kit import Attention, ComponentConfig, Memory, MemorySpec

TensorDict = dict[str, Tensor]


class LocationAttentionConfig(ComponentConfig):
    """Additive attention that knows where it looked last."""

    name: str = "location"
    size: int | None = Field(default=None, ge=1)
    """Width of the hidden layer that compares query, key and location; null: the decoder's size."""
    channels: int = Field(default=10, ge=1)
    """k, features of the last weights around each position."""
    kernel: int = Field(default=31, ge=1)
    """r, positions that they see: an odd number, half of them on either side."""

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, as many positions being seen on either side")
        return value


class LocationAttention(Attention):
    """score(q, s_j) = w · tanh(W q + V s_j + U f_j + b), with f = F * α, the last weights α convolved (equations 8, 9).

    The state is those weights, ``weights`` [B, Q, S']; before the first step they are zero.
    """

    recurrent = True

    def __init__(self, config: LocationAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        size = config.size or query_size
        self.context_size = memory.size
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory.size, size)
        self.convolution = nn.Conv1d(1, config.channels, config.kernel, padding=config.kernel // 2, bias=False)
        self.location = nn.Linear(config.channels, size, bias=False)
        self.energy = nn.Linear(size, 1, bias=False)

    def project(self, memory: Memory) -> TensorDict:
        values = memory.states.masked_fill(~memory.mask.unsqueeze(-1), 0)
        return {"keys": self.key(values), "values": values, "mask": memory.mask}

    def init_state(self, projected: TensorDict) -> TensorDict:
        return {"weights": projected["values"].new_zeros(projected["mask"].shape).unsqueeze(1)}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        past = state["weights"]  # [B, Q, S']
        features = self.convolution(past.flatten(0, 1).unsqueeze(1))  # [B * Q, k, S']
        location = self.location(features.transpose(1, 2)).unflatten(0, past.shape[:2])  # [B, Q, S', D]
        hidden = torch.tanh(self.query(query).unsqueeze(2) + projected["keys"].unsqueeze(1) + location)
        scores = self.energy(hidden).squeeze(-1)  # [B, Q, S']
        padding = ~projected["mask"].unsqueeze(1)
        # Not -inf, whose softmax is NaN for a source without any real position.
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
        return torch.bmm(weights, projected["values"]), weights, {"weights": weights}
