"""The Transformer decoder as the engine's own stepper: its weights, by the names under which the engine packs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from seq2seq_kit.attention.multihead import MultiheadAttention
from seq2seq_kit.interfaces import Memory, Precision, TensorDict
from seq2seq_kit.layers.dropout import Dropout, WordDropout
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.feed_forward import FeedForward
from seq2seq_kit.layers.native_weights import own_tensors
from seq2seq_kit.layers.norms import Residual
from seq2seq_kit.layers.packed_weights import PackedLinear
from seq2seq_kit.layers.positions import Positions, sinusoid_frequencies
from seq2seq_kit.layers.relative import BucketBias, DistanceEmbeddings, alibi_slopes, rotation_frequencies
from seq2seq_kit.layers.self_attention import SelfAttention

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep, TransformerWeights
    from seq2seq_kit.decoders.transformer import DecoderLayer, TransformerDecoder

KNOWN = (
    *(nn.ModuleList, nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.Identity),
    *(ScaledEmbedding, Positions, BucketBias, DistanceEmbeddings, Dropout, WordDropout, PackedLinear, Residual),
    *(SelfAttention, MultiheadAttention, FeedForward),
)
"""What the engine knows to compute inside of the decoder and its layers."""

ACTIVATIONS = {"reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "swiglu": "silu"}
"""Of the gate."""


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
    """The weights of ``decoder``, by the engine's names for them."""
    from seq2seq_kit._engine import TransformerOptions, TransformerWeights

    layers = cast("list[DecoderLayer]", list(decoder.layers))
    lookback = cast("SelfAttention", layers[0].autoregressive)
    source = cast("MultiheadAttention | None", layers[0].attention)
    tensors = {"embedding": decoder.embedding.weight} | _positions(decoder)
    if decoder.output_layer is not None:
        tensors |= own_tensors("output", decoder.output_layer)
    else:
        tensors["output.weight"] = decoder.embedding.weight
        if decoder.output_bias is not None:
            tensors["output.bias"] = decoder.output_bias
    tensors |= own_tensors("embedding_norm", decoder.embedding_norm) | own_tensors("norm", decoder.norm)
    for i, layer in enumerate(layers):
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in _layer(layer).items()}

    config = decoder.config
    options = TransformerOptions()
    options.layers = len(layers)
    options.heads, options.key_value_heads = lookback.heads, lookback.groups
    options.self_scale = lookback.scale
    if source is not None:
        options.source_heads, options.source_scale = source.heads, source.scale
    options.pre_norm = layers[0].feed_forward_residual.pre
    options.norm_epsilon = cast("nn.LayerNorm", layers[0].feed_forward_residual.norm).eps
    options.activation = ACTIVATIONS.get(config.activation, config.activation)
    options.embedding_scale, options.output_scale = decoder.embedding.scale, config.output_scale
    options.position_offset = decoder.positions.offset
    options.alignment_layer = decoder.alignment_layer
    options.precision = precision
    return TransformerWeights(options, {name: tensor.detach() for name, tensor in tensors.items()})


def _positions(decoder: TransformerDecoder) -> TensorDict:
    positions = decoder.positions
    match positions.kind:
        case "sinusoidal":
            return {"positions.sinusoidal": sinusoid_frequencies(decoder.config.size, positions.paper)}
        case "learned":
            return {"positions.learned": positions.embedding.weight[positions.offset :]}
        case "rotary":
            return {"positions.rotary": rotation_frequencies(positions.head_size)}
        case "alibi":
            return {"positions.slopes": alibi_slopes(positions.heads)}
        case "t5":
            return {"positions.biases": positions.buckets.by_distance()}
    return {}


def _layer(layer: DecoderLayer) -> TensorDict:
    lookback = cast("SelfAttention", layer.autoregressive)
    tensors = own_tensors("self_norm", layer.autoregressive_residual.norm)
    tensors |= own_tensors("self.query_key_value", lookback.query_key_value) | own_tensors("self.out", lookback.out)
    if lookback.distances is not None:
        tensors["self.distance_keys"], tensors["self.distance_values"] = lookback.distances.by_distance()
    if layer.attention is not None:
        tensors |= own_tensors("source_norm", layer.attention_residual.norm)
        tensors |= _source(cast("MultiheadAttention", layer.attention), layer.context)
    tensors |= own_tensors("feed_forward_norm", layer.feed_forward_residual.norm)
    hidden = own_tensors("feed_forward.hidden", layer.feed_forward.hidden)
    if layer.feed_forward.gated:
        halves = {name: tensor.chunk(2) for name, tensor in hidden.items()}  # what is activated, and the other factor
        hidden = {name: half for name, (_, half) in halves.items()}
        tensors |= {name.replace("hidden", "gate"): half for name, (half, _) in halves.items()}
    return tensors | hidden | own_tensors("feed_forward.out", layer.feed_forward.out)


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
