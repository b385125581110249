"""The devices that tests of accelerators run on: one command on a machine with a GPU runs them all."""

from __future__ import annotations

import pytest
import torch

_NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=_NO_CUDA)]
"""On the CPU the same code runs on tensors of the CPU, and what would be recorded is run anew."""
