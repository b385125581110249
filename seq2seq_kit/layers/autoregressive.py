"""What a decoder's layer looks back with: self-attention, or something that costs less at decoding."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.layers.positions import Relations


class Autoregressive(nn.Module, ABC):
    """A sublayer whose ``forward`` is the same function as ``step`` at one position after the other."""

    def first_rows(self, like: Tensor) -> TensorDict:
        """What follows a hypothesis before the first step, [B, 1, ...] each, for ``like`` [B, H]."""
        return {}

    def first_history(self, like: Tensor) -> TensorDict:
        """What grows by one position a step, [B, 1, 0, ...] each, for ``like`` [B, H]."""
        return {}

    @abstractmethod
    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        """All positions at once, each seeing itself and those before it: [B, T, H] -> [B, T, H]."""

    @abstractmethod
    def step(
        self, x: Tensor, position: Tensor, rows: TensorDict, history: TensorDict, relations: Relations
    ) -> tuple[Tensor, TensorDict, TensorDict]:
        """One position of each hypothesis.

        Args:
            x: [B, K, H].
            position: [B], counted from 0.
            history: [B, K, t, ...] each.

        Returns: [B, K, H], the new rows, and the new slice [B, K, 1, ...] of each history.
        """
