"""What the native twins of Transformer encoder and decoder share: options and weights, by the engine's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import nn

from seq2seq_kit.attention.multihead import MultiheadAttention
from seq2seq_kit.interfaces import Precision, TensorDict
from seq2seq_kit.layers.dropout import Dropout, WordDropout
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.feed_forward import FeedForward
from seq2seq_kit.layers.native_weights import own_tensors
from seq2seq_kit.layers.norms import Residual
from seq2seq_kit.layers.packed_weights import PackedLinear
from seq2seq_kit.layers.positions import Positions, sinusoid_frequencies
from seq2seq_kit.layers.relative import BucketBias, DistanceEmbeddings, alibi_slopes, rotation_frequencies
from seq2seq_kit.layers.self_attention import SelfAttention
from seq2seq_kit.layers.transformer_config import TransformerConfig

if TYPE_CHECKING:
    from seq2seq_kit._engine import TransformerOptions

KNOWN = (
    *(nn.ModuleList, nn.Embedding, nn.LayerNorm, nn.RMSNorm, nn.Identity),
    *(ScaledEmbedding, Positions, BucketBias, DistanceEmbeddings, Dropout, WordDropout, PackedLinear, Residual),
    *(SelfAttention, MultiheadAttention, FeedForward),
)
"""What the engine knows to compute."""

ACTIVATIONS = {"reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh", "swiglu": "silu"}
"""Of the gate."""


def shared_options(
    config: TransformerConfig, layers: int, attention: SelfAttention, residual: Residual, precision: Precision
) -> TransformerOptions:
    """Those that a decoder and an encoder have. ``attention`` and ``residual`` stand for those of all layers."""
    from seq2seq_kit._engine import TransformerOptions

    options = TransformerOptions()
    options.layers = layers
    options.heads, options.key_value_heads = attention.heads, attention.groups
    options.self_scale = attention.scale
    options.pre_norm = residual.pre
    options.norm_epsilon = cast("nn.LayerNorm", residual.norm).eps
    options.activation = ACTIVATIONS.get(config.activation, config.activation)
    options.position_offset = config.position_offset
    options.precision = precision
    return options


def position_tensors(positions: Positions, size: int) -> TensorDict:
    """What the engine is told of positions in a model of width ``size``."""
    match positions.kind:
        case "sinusoidal":
            return {"positions.sinusoidal": sinusoid_frequencies(size, positions.paper)}
        case "learned":
            return {"positions.learned": positions.embedding.weight[positions.offset :]}
        case "rotary":
            return {"positions.rotary": rotation_frequencies(positions.head_size)}
        case "alibi":
            return {"positions.slopes": alibi_slopes(positions.heads)}
        case "t5":
            return {"positions.biases": positions.buckets.by_distance()}
    return {}


def self_attention_tensors(attention: SelfAttention, residual: Residual, causal: bool) -> TensorDict:
    """Those of a sublayer."""
    tensors = own_tensors("self_norm", residual.norm)
    tensors |= own_tensors("self.query_key_value", attention.query_key_value) | own_tensors("self.out", attention.out)
    if attention.distances is not None:
        tensors["self.distance_keys"], tensors["self.distance_values"] = attention.distances.by_distance(causal)
    return tensors


def feed_forward_tensors(network: FeedForward, residual: Residual) -> TensorDict:
    """Those of a sublayer."""
    hidden = own_tensors("feed_forward.hidden", network.hidden)
    tensors = own_tensors("feed_forward_norm", residual.norm) | own_tensors("feed_forward.out", network.out)
    if not network.gated:
        return tensors | hidden
    halves = {name: tensor.chunk(2) for name, tensor in hidden.items()}  # what is activated, and the other factor
    tensors |= {name: half for name, (_, half) in halves.items()}
    return tensors | {name.replace("hidden", "gate"): half for name, (half, _) in halves.items()}
