"""When the engine's kernels for training on a CPU take the place of torch's operations."""

from __future__ import annotations

import torch
from torch import Tensor


def kernels_serve(*tensors: Tensor) -> bool:
    """Whether they read ``tensors``: all float32 or all bfloat16, on the CPU, and not to be compiled."""
    if torch.compiler.is_compiling():  # first: each size that is looked at would become a condition
        return False
    dtype = tensors[0].dtype
    return dtype in (torch.float32, torch.bfloat16) and all(x.is_cpu and x.dtype == dtype for x in tensors)
