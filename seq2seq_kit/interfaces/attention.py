"""The contract of attention."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from seq2seq_kit.interfaces.memory import Memory
from seq2seq_kit.interfaces.types import TensorDict


class Attention(nn.Module, ABC):
    """Looks up a memory. Built as ``cls(config, query_size: int, memory: MemorySpec)``.

    ``context_size`` is the width of the context it returns. ``recurrent`` attention (location, coverage) is called one
    time step at a time, and its state follows the hypothesis.
    """

    context_size: int
    recurrent: bool = False
    weights_wanted: bool = True
    """Set to False on an instance whose weights nobody reads: ``forward`` may then return None for them."""

    @abstractmethod
    def project(self, memory: Memory) -> TensorDict:
        """Keys, values, mask, …: all that depends on the memory alone, ``[B, ...]`` each; called once per sentence."""

    def init_state(self, projected: TensorDict) -> TensorDict:
        """The state of a recurrent attention before the first step, ``[B, 1, ...]`` each."""
        return {}

    @abstractmethod
    def forward(
        self, query: Tensor, projected: TensorDict, state: TensorDict
    ) -> tuple[Tensor, Tensor | None, TensorDict]:
        """Context [B, Q, context_size], weights [B, Q, S'] (zero on padding; None where there are none) and new state.

        Q counts independent queries: all T positions in training, K hypotheses in decoding.
        """
