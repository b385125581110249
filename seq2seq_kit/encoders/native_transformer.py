"""The Transformer encoder as the engine computes it: real positions alone, with packed weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import nn

from seq2seq_kit.interfaces import Batch, Memory, Precision, TensorDict
from seq2seq_kit.layers.native_transformer import (
    feed_forward_tensors,
    position_tensors,
    self_attention_tensors,
    shared_options,
)
from seq2seq_kit.layers.native_weights import own_tensors

if TYPE_CHECKING:
    from seq2seq_kit._engine import TransformerEncoderWeights
    from seq2seq_kit.encoders.transformer import EncoderLayer, TransformerEncoder


@dataclass(frozen=True)
class NativeTransformerEncoder:
    """An encoder, which reads ids or frames, and its packed weights, which do the rest."""

    encoder: TransformerEncoder
    weights: TransformerEncoderWeights

    def encode(self, batch: Batch) -> Memory:
        """What ``encoder(batch)`` gives."""
        return Memory(self.weights.encode(self.encoder.read(batch), batch.source_mask), batch.source_mask)


def pack(encoder: TransformerEncoder, precision: Precision) -> TransformerEncoderWeights:
    """The weights of an encoder but for its embeddings, as the engine packs them."""
    from seq2seq_kit._engine import TransformerEncoderWeights

    layers = cast("list[EncoderLayer]", list(encoder.layers))
    tensors = position_tensors(encoder.positions, encoder.config.size)
    if isinstance(encoder.embedding, nn.Linear):
        tensors |= own_tensors("input", encoder.embedding)
    elif encoder.factors is not None and encoder.factors.project is not None:
        tensors |= own_tensors("input", encoder.factors.project)
    tensors |= own_tensors("embedding_norm", encoder.embedding_norm) | own_tensors("norm", encoder.norm)
    for i, layer in enumerate(layers):
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in _layer(layer).items()}
    first = layers[0]
    options = shared_options(encoder.config, len(layers), first.self_attention, first.feed_forward_residual, precision)
    return TransformerEncoderWeights(options, {name: tensor.detach() for name, tensor in tensors.items()})


def _layer(layer: EncoderLayer) -> TensorDict:
    tensors = self_attention_tensors(layer.self_attention, layer.self_attention_residual, causal=False)
    return tensors | feed_forward_tensors(layer.feed_forward, layer.feed_forward_residual)
