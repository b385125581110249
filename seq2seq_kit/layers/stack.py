"""How a stack of layers is run."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def run_layer(layer: nn.Module, checkpoint_activations: bool, *args: Any) -> Any:
    """``layer(*args)``; with ``checkpoint_activations`` it is computed again in the backward pass."""
    if checkpoint_activations and torch.is_grad_enabled():
        return checkpoint(layer, *args, use_reentrant=False)
    return layer(*args)


def drops_layer(probability: float, training: bool) -> bool:
    """Whether a layer is left out this time (LayerDrop)."""
    return training and probability > 0 and float(torch.rand(())) < probability
