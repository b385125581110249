"""Recurrent encoders as the engine computes them: real positions alone, with packed weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from seq2seq_kit.interfaces import Batch, Memory, Precision
from seq2seq_kit.layers.native_recurrent import CELLS, layer_tensors
from seq2seq_kit.layers.native_weights import own_tensors

if TYPE_CHECKING:
    from seq2seq_kit._engine import RecurrentEncoderWeights
    from seq2seq_kit.encoders.recurrent import RecurrentEncoder


@dataclass(frozen=True)
class NativeRecurrentEncoder:
    """An encoder, which reads ids or frames, and its packed weights, which do the rest."""

    encoder: RecurrentEncoder
    weights: RecurrentEncoderWeights

    def encode(self, batch: Batch) -> Memory:
        """What ``encoder(batch)`` gives."""
        read = batch.source[batch.source_mask]  # [N] or [N, F]
        if not read.is_floating_point():
            read = self.encoder.embedding(read)  # [N, E]
        states, *final = self.weights.encode(read, batch.source_mask)
        return Memory(states, batch.source_mask, dict(zip(self.encoder.state_names, final, strict=True)))


def pack(encoder: RecurrentEncoder, precision: Precision) -> RecurrentEncoderWeights:
    """The weights of an encoder but for its embeddings, as the engine packs them."""
    from seq2seq_kit._engine import RecurrentEncoderWeights

    network = encoder.network
    directions = 2 if network.bidirectional else 1
    tensors = own_tensors("input", encoder.embedding) if isinstance(encoder.embedding, nn.Linear) else {}
    for i, weights in enumerate(network.all_weights):
        tensors |= layer_tensors(f"layers.{i // directions}.{i % directions}", weights)
    packed = {name: tensor.detach() for name, tensor in tensors.items()}
    return RecurrentEncoderWeights(CELLS[type(network)], network.num_layers, directions, precision, packed)
