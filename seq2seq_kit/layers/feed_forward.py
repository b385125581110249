"""The feed-forward sublayer: two linear layers with an activation between, gated or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq_kit.layers.dropout import Dropout
from seq2seq_kit.layers.linear import glorot_linear
from seq2seq_kit.layers.transformer_config import ActivationKind, TransformerConfig

GELU_TANH = partial(F.gelu, approximate="tanh")
PLAIN: dict[ActivationKind, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": GELU_TANH,
    "silu": F.silu,
}
GATED: dict[ActivationKind, Callable[[Tensor], Tensor]] = {
    "reglu": torch.relu,
    "geglu": F.gelu,
    "geglu_tanh": GELU_TANH,
    "swiglu": F.silu,
}


class FeedForward(nn.Module):
    """W₂ act(W₁ x) (Vaswani et al. 2017, equation 2), or W₂ (act(W₁ x) ⊙ V x) (Shazeer 2020, "GLU variants improve
    Transformer"), with W₁ and V as one matrix."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gated = config.activation in GATED
        self.activation = (PLAIN | GATED)[config.activation]
        self.hidden = glorot_linear(config.size, config.feed_forward_size * (2 if self.gated else 1), bias=config.bias)
        self.out = glorot_linear(config.feed_forward_size, config.size, bias=config.bias)
        self.dropout = Dropout(config.activation_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[..., H] -> [..., H]"""
        hidden = self.hidden(x)  # [..., F], or [..., 2 F]
        if self.gated:
            gate, hidden = hidden.chunk(2, -1)
            hidden = self.activation(gate) * hidden
        else:
            hidden = self.activation(hidden)
        return self.out(self.dropout(hidden))  # type: ignore[no-any-return]
