"""Weights laid out once for the CPU's matrix kernels, for decoding: the same weights meet few rows at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq_kit.kernel_caches import limit_kernel_caches
from seq2seq_kit.layers.onednn import onednn_serves
from seq2seq_kit.layers.training_linear import training_linear

LEAST_WORK = 2**20
"""Below so many multiplications, four rows counted at most, the call of oneDNN costs more than the layout saves."""


class PackedWeights:
    """``linear`` with oneDNN's own layout of each weight, made at its first use (one more copy of it in memory).

    ``F.linear`` lays the weight out anew in every call, which for a beam's few rows costs more than the product. It is
    still what runs where gradients are recorded, under autocast or a compiler, and for anything but a float32
    parameter on the CPU.

    A weight is laid out anew when it was replaced, moved or written to. Writes through ``weight.data`` are the ones
    torch does not count: call :meth:`clear` after them, as the owners do when training begins, where they are made.
    Copies and pickles of the object are empty.
    """

    def __init__(self) -> None:
        self._packed: dict[int, _Layout] = {}  # by the weight's id
        limit_kernel_caches()

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedWeights, ()

    def clear(self) -> None:
        """Forget all layouts."""
        self._packed.clear()

    def serve(self, x: Tensor, weight: Tensor) -> bool:
        """Whether ``linear(x, weight)`` would use a layout of its own."""
        return (
            onednn_serves(x, weight)  # first: sizes must not be looked at while compiling
            and min(x.shape[:-1].numel(), 4) * weight.numel() >= LEAST_WORK
            and not torch.is_grad_enabled()
            and not weight.is_inference()  # has no count of its writes
        )

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """``F.linear``: x [..., D], weight [N, D], bias [N] -> [..., N]."""
        if not self.serve(x, weight):
            return F.linear(x, weight, bias)
        return torch.ops.mkldnn._linear_pointwise(x, self._layout(weight), bias, "none", [], "")

    def _layout(self, weight: Tensor) -> Tensor:
        found = self._packed.get(id(weight))
        if found is None or not found.holds(weight):
            layout = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)  # None: for any number of rows
            found = self._packed[id(weight)] = _Layout(weight, weight.detach(), weight._version, layout)
        return found.layout


@dataclass(frozen=True)
class _Layout:
    """A weight's layout, and what the weight was when it was made."""

    weight: Tensor  # kept, so that its id is no other's
    data: Tensor  # kept, so that its address is no other's
    version: int  # torch's count of writes
    layout: Tensor

    def holds(self, weight: Tensor) -> bool:
        return weight._version == self.version and weight.data_ptr() == self.data.data_ptr()


class PackedLinear(nn.Linear):
    """``nn.Linear``, quicker: at decoding by :class:`PackedWeights`, in training by :func:`training_linear`."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self._packed = PackedWeights()

    def train(self, mode: bool = True) -> PackedLinear:
        if mode:
            self._packed.clear()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        linear = training_linear if self.training else self._packed.linear
        return linear(x, self.weight, self.bias)
