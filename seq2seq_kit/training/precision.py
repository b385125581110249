"""The precision of the arithmetic, for as long as a training step takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_REDUCED = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """``torch.set_float32_matmul_precision`` within a block: validation and other models of the process keep theirs."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def autocast(precision: str, device: torch.device) -> Iterator[None]:
    """Mixed precision (Micikevicius et al. 2018): the weights stay float32, matrix products are of ``precision``."""
    if precision not in _REDUCED:
        yield
        return
    before = torch.backends.mkldnn.enabled
    if device.type == "cpu" and precision == "float16":  # oneDNN has no LSTM for it on most CPUs, and then fails
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    try:
        with torch.autocast(device.type, _REDUCED[precision]):
            yield
    finally:
        torch.backends.mkldnn.enabled = before
