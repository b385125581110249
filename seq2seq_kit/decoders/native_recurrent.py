"""Recurrent decoders as the engine's own stepper: their weights, by the names under which the engine packs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from seq2seq_kit.attention.bahdanau import BahdanauAttention
from seq2seq_kit.attention.luong import LuongAttention
from seq2seq_kit.attention.multihead import MultiheadAttention
from seq2seq_kit.attention.none import NoAttention
from seq2seq_kit.attention.scaled_dot import ScaledDotAttention
from seq2seq_kit.decoders.bridge import Bridge
from seq2seq_kit.interfaces import Memory, Precision, TensorDict
from seq2seq_kit.layers.dropout import Dropout
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.native_recurrent import CELLS, layer_tensors
from seq2seq_kit.layers.native_weights import own_tensors
from seq2seq_kit.layers.packed_weights import PackedLinear

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep, RecurrentWeights
    from seq2seq_kit.decoders.recurrent import RecurrentDecoder

KNOWN = (
    *(nn.Embedding, nn.Linear, nn.ModuleDict, nn.Dropout, nn.RNN, nn.GRU, nn.LSTM),
    *(ScaledEmbedding, Dropout, PackedLinear, Bridge),
    *(NoAttention, BahdanauAttention, LuongAttention, ScaledDotAttention, MultiheadAttention),
)
"""What the engine knows to compute inside of the decoder."""


@dataclass(frozen=True)
class NativeRecurrent:
    """Packed weights, which entry of ``Memory.final`` each state begins with, and whether the attention is wanted."""

    weights: RecurrentWeights
    sources: Mapping[str, str]
    attention_wanted: bool

    def begin(self, memory: Memory | None, batch_size: int) -> NativeStep:
        """The step of one batch; its start is computed and its memory projected here."""
        if memory is None:
            return self.weights.step(None, None, {}, False)
        final = {name: memory.final[source] for name, source in self.sources.items() if source in memory.final}
        return self.weights.step(memory.states, memory.mask, final, self.attention_wanted)


def pack(decoder: RecurrentDecoder, precision: Precision) -> RecurrentWeights:
    """The weights of ``decoder``, by the engine's names for them."""
    from seq2seq_kit._engine import RecurrentOptions, RecurrentWeights

    config, bridge = decoder.config, decoder.bridge
    tensors = {"embedding": decoder.embedding.weight}
    for i, weights in enumerate(decoder.network.all_weights):
        tensors |= layer_tensors(f"layers.{i}", weights)
    if bridge.sources and bridge.kind == "linear":
        for name, linear in bridge.linear.items():
            tensors |= own_tensors(f"start.{name}", linear)
    tensors |= _attention(decoder.attention)
    if decoder.combine is not None:
        tensors |= own_tensors("combine", decoder.combine)
    if decoder.output_layer is not None:
        tensors |= own_tensors("output", decoder.output_layer)
    else:
        tensors |= {"output.weight": decoder.embedding.weight, "output.bias": decoder.output_bias}

    options = RecurrentOptions()
    options.cell = CELLS[type(decoder.network)]
    options.layers = config.layers
    if isinstance(decoder.embedding, ScaledEmbedding):
        options.embedding_scale = decoder.embedding.scale
    options.memory_size = decoder.memory_size
    start = "zeros" if not bridge.sources else "mean" if bridge.from_mean else "final"
    options.start_h = start if "h" in bridge.sources else "zeros"
    options.start_c = start if "c" in bridge.sources else "zeros"
    options.attends = decoder.combine is not None
    options.heads = getattr(decoder.attention, "heads", 1)
    options.scale = getattr(decoder.attention, "scale", 1.0)
    options.query_before, options.input_feeding = config.query == "previous", config.input_feeding
    options.precision = precision
    return RecurrentWeights(options, {name: tensor.detach() for name, tensor in tensors.items()})


def _attention(attention: nn.Module) -> TensorDict:
    tensors: TensorDict = {f"attention.{name}": tensor for name, tensor in attention.named_parameters()}
    if "attention.energy.weight" in tensors:
        tensors["attention.energy"] = tensors.pop("attention.energy.weight")
    return tensors
