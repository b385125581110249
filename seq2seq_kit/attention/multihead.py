"""Multi-head attention (Vaswani et al. 2017, "Attention is all you need", section 3.2.2)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit.attention.functional import masked_softmax, real_states
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict


class MultiheadAttentionConfig(ComponentConfig):
    """Multi-head attention."""

    name: str = "multihead"
    heads: int = Field(default=4, ge=1)
    """Number of heads; divides ``size``."""
    size: int | None = Field(default=None, ge=1)
    """Width of queries, keys and values over all heads, and of the context; null: the decoder's size."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of dropping a weight in training."""


class MultiheadAttention(Attention):
    """Scaled dot-product attention in several heads side by side; the weights it returns are the mean over heads."""

    def __init__(self, config: MultiheadAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        size = config.size or query_size
        if size % config.heads:
            raise ConfigError(
                f"attention multihead: {config.heads} heads do not divide the size {size}"
                f"{'' if config.size else ' (of the decoder)'}: choose heads that do, or another attention size"
            )
        self.heads = config.heads
        self.context_size = size
        self.scale = (size // config.heads) ** -0.5
        self.query = nn.Linear(query_size, size)
        self.key = nn.Linear(memory.size, size)
        self.value = nn.Linear(memory.size, size)
        self.out = nn.Linear(size, size)
        self.dropout = nn.Dropout(config.dropout)

    def project(self, memory: Memory) -> TensorDict:
        states = real_states(memory)
        keys = self._split(self.key(states) * self.scale).transpose(2, 3).contiguous()  # [B, heads, D, S']
        values = self._split(self.value(states)).contiguous()  # [B, heads, S', D]
        return {"keys": keys, "values": values, "mask": memory.mask}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        scores = self._split(self.query(query)) @ projected["keys"]  # [B, heads, Q, S']
        weights = masked_softmax(scores, projected["mask"][:, None, None])
        contexts = self.dropout(weights) @ projected["values"]  # [B, heads, Q, D]
        return self.out(contexts.transpose(1, 2).flatten(2)), weights.mean(1), state

    def _split(self, x: Tensor) -> Tensor:
        """[B, N, heads * D] -> [B, heads, N, D]"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
