"""What an encoder gives to a decoder."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from seq2seq_kit.interfaces.types import TensorDict


@dataclass
class Memory:
    """What an encoder made of a batch of sources. An encoder that shortens its input (S' < S) owns the new mask.

    A decoder also finds in ``extras`` what the task put into ``Batch.extras``, but for what the encoder put there under
    the same name.
    """

    states: Tensor  # [B, S', H]
    mask: Tensor  # [B, S'] bool
    final: TensorDict = field(default_factory=dict)  # e.g. {"h": [B, L, H], "c": [B, L, H]}, at the last real position
    extras: TensorDict = field(default_factory=dict)  # [B, ...] each

    def mean(self) -> Tensor:
        """The mean of ``states`` over real positions, [B, H]: a decoder's start where there is no ``final``."""
        weights = self.mask.to(self.states.dtype).unsqueeze(-1)  # [B, S', 1]
        total = self.states.masked_fill(~self.mask.unsqueeze(-1), 0).sum(1)
        return total / weights.sum(1).clamp(min=1)

    def select(self, sentences: Tensor) -> Memory:
        """The memory of ``sentences`` ([N] int64, indexes into B, in any order and number)."""

        def pick(tensors: TensorDict) -> TensorDict:
            return {name: x[sentences] for name, x in tensors.items()}

        return Memory(self.states[sentences], self.mask[sentences], pick(self.final), pick(self.extras))
