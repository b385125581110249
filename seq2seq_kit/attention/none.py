"""No attention: all that the decoder knows of the source is its start state (Sutskever et al. 2014)."""

from __future__ import annotations

from torch import Tensor

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict


class NoAttentionConfig(ComponentConfig):
    """Nothing to configure."""

    name: str = "none"


class NoAttention(Attention):
    """Returns a context of width 0 and no weights; a decoder with it needs no memory and can be a language model."""

    context_size = 0

    def __init__(self, config: NoAttentionConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()

    def project(self, memory: Memory) -> TensorDict:
        return {}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, None, TensorDict]:
        return query[..., :0], None, state
