"""Multi-head attention (Vaswani et al. 2017, "Attention is all you need", section 3.2.2)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from seq2seq_kit.attention.functional import attend, masked_softmax, padding_bias, real_states
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict
from seq2seq_kit.layers.dropout import Dropout
from seq2seq_kit.layers.linear import glorot_linear


class MultiheadAttentionConfig(ComponentConfig):
    """Multi-head attention."""

    name: str = "multihead"
    heads: int = Field(default=4, ge=1)
    """Number of heads; without a ``head_size`` it divides ``size``."""
    size: int | None = Field(default=None, ge=1)
    """Width of the context, and of queries, keys and values over all heads; null: the decoder's size."""
    head_size: int | None = Field(default=None, ge=1)
    """D, the width of each head; null: ``size / heads``."""
    scale: bool = True
    """Divide scores by √D (Vaswani et al. 2017, equation 1); T5 does not."""
    bias: bool = True
    """Queries, keys, values and contexts have learned biases."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of dropping a weight in training."""


class MultiheadAttention(Attention):
    """Scaled dot-product attention in several heads side by side; the weights it returns are the mean over heads."""

    def __init__(self, config: MultiheadAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        size = config.size or query_size
        if config.head_size is None and size % config.heads:
            raise ConfigError(
                f"attention multihead: {config.heads} heads do not divide the size {size}"
                f"{'' if config.size else ' (of the decoder)'}: choose heads that do, or another attention size"
            )
        self.heads = config.heads
        self.context_size = size
        head_size = config.head_size or size // config.heads
        self.scale = head_size**-0.5 if config.scale else 1.0
        together = config.heads * head_size
        self.query = glorot_linear(query_size, together, 2**-0.5, config.bias)
        self.key = glorot_linear(memory.size, together, 2**-0.5, config.bias)
        self.value = glorot_linear(memory.size, together, 2**-0.5, config.bias)
        self.out = glorot_linear(together, size, bias=config.bias)
        self.dropout = Dropout(config.dropout)

    def project(self, memory: Memory) -> TensorDict:
        states, padding = real_states(memory), ~memory.mask.unsqueeze(-1)
        keys = self._split(self.key(states) * self.scale)  # [B, heads, S', D]
        values = self._split(self.value(states).masked_fill(padding, 0))
        return {"keys": keys, "values": values, "mask": memory.mask}

    def forward(
        self, query: Tensor, projected: TensorDict, state: TensorDict
    ) -> tuple[Tensor, Tensor | None, TensorDict]:
        queries = self._split(self.query(query))  # [B, heads, Q, D]
        keys, values, mask = projected["keys"], projected["values"], projected["mask"]
        weights = None
        if self.weights_wanted:
            by_head = masked_softmax(queries @ keys.transpose(2, 3), mask[:, None, None])  # [B, heads, Q, S']
            contexts = self.dropout(by_head) @ values  # [B, heads, Q, D]
            weights = by_head.mean(1)
        else:  # an empty source looks at its padding, whose values are 0
            contexts = attend(queries, keys, values, padding_bias(mask), self.dropout, scale=1.0)
        return self.out(contexts.transpose(1, 2).flatten(2)), weights, state

    def _split(self, x: Tensor) -> Tensor:
        """[B, N, heads * D] -> [B, heads, N, D]"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
