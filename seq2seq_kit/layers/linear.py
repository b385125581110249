"""Linear layers as Transformers start them."""

from __future__ import annotations

from torch import nn

from seq2seq_kit.layers.packed_weights import PackedLinear


def glorot_linear(in_features: int, out_features: int, gain: float = 1.0, bias: bool = True) -> PackedLinear:
    """A linear layer with weights uniform within ± gain · √(6 / (in + out)) (Glorot & Bengio 2010), and zero bias."""
    linear = PackedLinear(in_features, out_features, bias)
    nn.init.xavier_uniform_(linear.weight, gain)
    if bias:
        nn.init.zeros_(linear.bias)
    return linear
