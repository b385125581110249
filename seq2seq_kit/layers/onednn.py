"""What products oneDNN may compute in place of ``F.linear``."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def onednn_serves(x: Tensor, weight: Tensor) -> bool:
    """Whether ``linear(x, weight)`` is a float32 product of a parameter on the CPU, as oneDNN computes it too."""
    return (
        not torch.compiler.is_compiling()  # first: it would make a condition of each size that is looked at
        and type(weight) is nn.Parameter  # neither a subclass nor computed, as where there is a parametrisation
        and weight.is_cpu
        and x.is_cpu
        and weight.dtype == x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
    )
