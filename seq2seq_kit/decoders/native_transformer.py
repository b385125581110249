"""The Transformer decoder as the engine's own stepper: its weights, by the names under which the engine packs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from seq2seq_kit.attention.multihead import MultiheadAttention
from seq2seq_kit.interfaces import Memory, Precision, TensorDict
from seq2seq_kit.layers.native_transformer import (
    feed_forward_tensors,
    position_tensors,
    self_attention_tensors,
    shared_options,
)
from seq2seq_kit.layers.native_weights import own_tensors
from seq2seq_kit.layers.self_attention import SelfAttention

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep, TransformerWeights
    from seq2seq_kit.decoders.transformer import DecoderLayer, TransformerDecoder


@dataclass(frozen=True)
class NativeTransformer:
    """Packed weights, and whether the attention to the source is wanted."""

    weights: TransformerWeights
    attention_wanted: bool

    def begin(self, memory: Memory | None, batch_size: int) -> NativeStep:
        """The step of one batch; its memory is projected here."""
        if memory is None:
            return self.weights.step(None, None, False)
        return self.weights.step(memory.states, memory.mask, self.attention_wanted)


def pack(decoder: TransformerDecoder, precision: Precision) -> TransformerWeights:
    """The weights of a decoder of self-attention and ``multihead`` attention (or none), as the engine packs them."""
    from seq2seq_kit._engine import TransformerWeights

    layers = cast("list[DecoderLayer]", list(decoder.layers))
    tensors = {"embedding": decoder.embedding.weight} | position_tensors(decoder.positions, decoder.config.size)
    if decoder.output_layer is not None:
        tensors |= own_tensors("output", decoder.output_layer)
    else:
        tensors["output.weight"] = decoder.embedding.weight
        if decoder.output_bias is not None:
            tensors["output.bias"] = decoder.output_bias
    tensors |= own_tensors("embedding_norm", decoder.embedding_norm) | own_tensors("norm", decoder.norm)
    for i, layer in enumerate(layers):
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in _layer(layer).items()}

    lookback = cast("SelfAttention", layers[0].autoregressive)
    source = cast("MultiheadAttention | None", layers[0].attention)
    options = shared_options(decoder.config, len(layers), lookback, layers[0].feed_forward_residual, precision)
    if source is not None:
        options.source_heads, options.source_scale = source.heads, source.scale
    options.embedding_scale, options.output_scale = decoder.embedding.scale, decoder.config.output_scale
    options.alignment_layer = decoder.alignment_layer
    return TransformerWeights(options, {name: tensor.detach() for name, tensor in tensors.items()})


def _layer(layer: DecoderLayer) -> TensorDict:
    lookback = cast("SelfAttention", layer.autoregressive)
    tensors = self_attention_tensors(lookback, layer.autoregressive_residual, causal=True)
    if layer.attention is not None:
        tensors |= own_tensors("source_norm", layer.attention_residual.norm)
        tensors |= _source(cast("MultiheadAttention", layer.attention), layer.context)
    return tensors | feed_forward_tensors(layer.feed_forward, layer.feed_forward_residual)


def _source(attention: MultiheadAttention, context: nn.Module) -> TensorDict:
    """Keys and values as one matrix; two linear layers one after the other as one."""
    keys, values = (dict(part.named_parameters()) for part in (attention.key, attention.value))
    tensors = {f"source.key_value.{name}": torch.cat([keys[name], values[name]]) for name in keys}
    out: TensorDict = dict(attention.out.named_parameters())
    if isinstance(context, nn.Linear):
        bias = context.bias + context.weight @ out["bias"] if "bias" in out else context.bias
        out = {"weight": context.weight @ out["weight"], "bias": bias}
    tensors |= {f"source.out.{name}": tensor for name, tensor in out.items()}
    return tensors | own_tensors("source.query", attention.query)
