"""The types that the contracts share."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

ScoreKind = Literal["logits", "log_probs"]
Precision = Literal["fp32", "bf16", "int8"]
"""In what native encoders and steppers keep and multiply their weights."""
TensorDict = dict[str, Tensor]
