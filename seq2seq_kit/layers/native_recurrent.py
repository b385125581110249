"""Recurrent layers as the engine packs them: what encoders and decoders have in common."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from seq2seq_kit.interfaces import TensorDict

CELLS: dict[type[nn.Module], str] = {nn.RNN: "rnn", nn.GRU: "gru", nn.LSTM: "lstm"}


def layer_tensors(name: str, weights: Sequence[Tensor]) -> TensorDict:
    """One layer and direction of ``network.all_weights``, by the engine's names."""
    parts = ("input.weight", "recurrent.weight", "input.bias", "recurrent.bias")
    return {f"{name}.{part}": tensor for part, tensor in zip(parts, weights, strict=True)}
