"""A padded batch: what an encoder reads, and what a decoder is to write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from seq2seq_kit.interfaces.types import TensorDict


@dataclass
class Batch:
    """A padded batch of examples.

    ``target`` holds the labels: the sentence's tokens followed by EOS, without BOS (see :func:`shift_right`).
    """

    source: Tensor  # [B, S] int64, or [B, S, F] float for continuous input
    source_mask: Tensor  # [B, S] bool
    target: Tensor | None = None  # [B, T] int64
    target_mask: Tensor | None = None  # [B, T] bool
    ids: list[Any] = field(default_factory=list)  # B identifiers of the examples
    extras: TensorDict = field(default_factory=dict)  # [B, ...] each

    def __len__(self) -> int:
        return self.source.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device)

        return replace(
            self,
            source=self.source.to(device),
            source_mask=self.source_mask.to(device),
            target=move(self.target),
            target_mask=move(self.target_mask),
            extras={name: x.to(device) for name, x in self.extras.items()},
        )


def shift_right(target: Tensor, bos_id: int) -> Tensor:
    """The decoder's input for labels ``target`` [B, T]: BOS, then all labels but the last. [B, T]"""
    return torch.cat([torch.full_like(target[:, :1], bos_id), target[:, :-1]], 1)
