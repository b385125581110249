"""Recurrent decoders (RNN, GRU, LSTM) with any attention, as in Luong et al. 2015 or, with ``query: previous``,
Bahdanau et al. 2015."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit.attention.none import NoAttentionConfig
from seq2seq_kit.config import ComponentConfig, component_field
from seq2seq_kit.decoders.bridge import Bridge, BridgeKind
from seq2seq_kit.decoders.native_recurrent import KNOWN, NativeRecurrent, pack
from seq2seq_kit.decoders.prefix import add_prefix, strip_prefix
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import (
    Attention,
    Decoder,
    DecoderOutput,
    DecoderState,
    Memory,
    MemorySpec,
    Precision,
    StepOutput,
    TargetSpec,
    TensorDict,
)
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.native_weights import NativeWeights, is_as_known
from seq2seq_kit.layers.packed_weights import PackedLinear, PackedWeights
from seq2seq_kit.layers.training_linear import training_linear
from seq2seq_kit.registry import build

ATTENTION = "attention."
"""The prefix of the attention's tensors among the decoder's rows and sentences."""


class RecurrentDecoderConfig(ComponentConfig):
    """A recurrent decoder."""

    embedding_size: int = Field(default=256, ge=1)
    """Width of the token embeddings."""
    size: int = Field(default=256, ge=1)
    """H, the width of the recurrent layers and of the attentional vector."""
    layers: int = Field(default=1, ge=1)
    """Recurrent layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the embeddings, between layers and before the output layer."""
    attention: component_field("attention") = Field(default={"name": "luong"})  # type: ignore[valid-type]
    """How the decoder looks up the source; ``none``: not at all."""
    query: Literal["current", "previous"] = "current"
    """Look up with the state after the recurrence (Luong et al. 2015), or with the one before it, the context then
    being an input of the recurrence (Bahdanau et al. 2015)."""
    input_feeding: bool = False
    """Feed the attentional vector back as an input of the next step (Luong et al. 2015, section 3.3)."""
    bridge: BridgeKind = "linear"
    """How the encoder's final state becomes the start: ``linear``, ``copy`` or ``zero``."""
    tie_embeddings: bool = False
    """Use the embedding matrix in the output layer too (Press & Wolf 2017); ``embedding_size`` must equal ``size``."""


class RNNDecoderConfig(RecurrentDecoderConfig):
    """An Elman network."""

    name: str = "rnn"


class GRUDecoderConfig(RecurrentDecoderConfig):
    """A gated recurrent unit."""

    name: str = "gru"


class LSTMDecoderConfig(RecurrentDecoderConfig):
    """A long short-term memory."""

    name: str = "lstm"


class RecurrentDecoder(Decoder):
    """Scores = W tanh(W_c [context; h]) + b, with h the top layer's state (Luong et al. 2015, equations 5 and 6).

    With attention ``none`` the vector is h itself, and the decoder accepts ``memory=None``: a language model.

    ``rows``: ``h`` [B, K, layers, H], for an LSTM ``c`` alike; with input feeding ``feed`` [B, K, H]; and the state of
    a recurrent attention. ``sentences``: what the attention projected. Nothing is kept in ``history``.

    Raises:
        ConfigError: options that exclude each other, or sizes that do not fit.
    """

    network_class: type[nn.RNN | nn.GRU | nn.LSTM]
    cell: Callable[..., Any]  # one layer for one step: (input, state, w_ih, w_hh, b_ih, b_hh) -> new state
    gates: Callable[..., Any]  # the same from the two products: (w_ih input + b_ih, w_hh h + b_hh, state) -> new state
    state_names: tuple[str, ...] = ("h",)
    output_reads_memory = False

    def __init__(self, config: RecurrentDecoderConfig, target: TargetSpec, memory: MemorySpec | None) -> None:
        super().__init__()
        self.config = config
        self.memory_size = memory.size if memory else 0
        looks_up = not isinstance(config.attention, NoAttentionConfig)
        _check(config, looks_up, memory)
        self.attention: Attention = build("attention", config.attention, config.size, memory or MemorySpec(0))
        context_size = self.attention.context_size

        self.embedding: nn.Embedding
        if config.tie_embeddings:
            scale = config.embedding_size**0.5
            self.embedding = ScaledEmbedding(target.vocab_size, config.embedding_size, target.pad_id, scale)
        else:
            self.embedding = nn.Embedding(target.vocab_size, config.embedding_size, padding_idx=target.pad_id)
        self.network = self.network_class(
            config.embedding_size
            + (context_size if config.query == "previous" else 0)
            + (config.size if config.input_feeding else 0),
            config.size,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.bridge = Bridge(config.bridge, self.state_names, config.layers, config.size, memory)
        self.combine = PackedLinear(context_size + config.size, config.size, bias=False) if looks_up else None
        self.output_layer: PackedLinear | None = None
        if config.tie_embeddings:  # no second name for the parameter: it would be saved twice
            self.output_bias = nn.Parameter(torch.zeros(target.vocab_size))
        else:
            self.output_layer = PackedLinear(config.size, target.vocab_size)
        self.dropout = nn.Dropout(config.dropout)
        self._packed = PackedWeights()
        self._native = NativeWeights(pack)

    def train(self, mode: bool = True) -> RecurrentDecoder:
        if mode:
            self._packed.clear()
            self._native.clear()
        return super().train(mode)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        if memory is None and self.combine is not None:
            raise UserError(
                f"decoder {self.config.name} with attention {self.config.attention.name} needs a memory to look up; "
                "only with attention 'none' can it be used without"
            )
        zeros = self.embedding.weight.new_zeros(batch_size, self.config.layers, self.config.size)
        rows = {name: x.unsqueeze(1) for name, x in self.bridge(memory, zeros).items()}  # [B, 1, layers, H]
        if self.config.input_feeding:
            rows["feed"] = zeros[:, :1]  # [B, 1, H]
        projected = {} if memory is None else self.attention.project(memory)
        rows |= add_prefix(ATTENTION, self.attention.init_state(projected))
        return DecoderState(rows=rows, sentences=add_prefix(ATTENTION, projected))

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        embedded = self._embed(tokens)  # [B, K, E]
        hidden, weights, rows = self._advance(embedded, state.rows, strip_prefix(ATTENTION, state.sentences))
        return StepOutput(self.output(hidden, None), self.score_kind, rows, attention=weights)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        state = self.init_state(memory, prefix.shape[0])
        embedded = self._embed(prefix)  # [B, T, E]
        projected = strip_prefix(ATTENTION, state.sentences)
        if self.config.query == "current" and not self.config.input_feeding and not self.attention.recurrent:
            return self._all_at_once(embedded, state.rows, projected)
        rows, hiddens, all_weights = state.rows, [], []
        for t in range(prefix.shape[1]):
            hidden, weights, rows = self._advance(embedded[:, t : t + 1], rows, projected)
            hiddens.append(hidden)
            all_weights.append(weights)
        attention = None if all_weights[0] is None else torch.cat(all_weights, 1)  # type: ignore[arg-type]
        return DecoderOutput(torch.cat(hiddens, 1), attention)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        if self.output_layer is None:
            linear = training_linear if self.training else self._packed.linear
            return linear(hidden, self.embedding.weight, self.output_bias)
        return self.output_layer(hidden)

    def native(self, precision: Precision = "fp32") -> NativeRecurrent | None:
        """With every built-in attention, for the built-in decoders themselves: a subclass may compute otherwise, and
        has to offer it anew. In eval mode, on the CPU, in float32."""
        if not is_as_known(self, (*KNOWN, RNNDecoder, GRUDecoder, LSTMDecoder)):
            return None
        return NativeRecurrent(self._native.of(self, precision), dict(self.bridge.sources), self.attention_wanted)

    def _embed(self, tokens: Tensor) -> Tensor:
        return self.dropout(self.embedding(tokens))  # type: ignore[no-any-return]

    def _all_at_once(self, embedded: Tensor, rows: TensorDict, projected: TensorDict) -> DecoderOutput:
        """Teacher forcing where the recurrence needs nothing of the attention: one call of the fused network."""
        start = tuple(rows[name].squeeze(1).transpose(0, 1).contiguous() for name in self.state_names)  # [layers, B, H]
        top, _ = self.network(embedded, start if len(start) > 1 else start[0])  # [B, T, H]
        context, weights, _ = self.attention(top, projected, {})
        return DecoderOutput(self._attentional(context, top), weights)

    def _advance(
        self, embedded: Tensor, rows: TensorDict, projected: TensorDict
    ) -> tuple[Tensor, Tensor | None, TensorDict]:
        """One time step: the attentional vector [B, K, H], the attention [B, K, S'] and the new rows."""
        attention_state = strip_prefix(ATTENTION, rows)
        inputs = [embedded]
        if self.config.input_feeding:
            inputs.append(rows["feed"])
        if self.config.query == "previous":
            context, weights, attention_state = self.attention(rows["h"][:, :, -1], projected, attention_state)
            inputs.append(context)
        new_rows = self._recur(torch.cat(inputs, -1) if len(inputs) > 1 else embedded, rows)
        top = new_rows["h"][:, :, -1]  # [B, K, H]
        if self.config.query == "current":
            context, weights, attention_state = self.attention(top, projected, attention_state)
        hidden = self._attentional(context, top)
        if self.config.input_feeding:
            new_rows["feed"] = hidden
        return hidden, weights, new_rows | add_prefix(ATTENTION, attention_state)

    def _recur(self, x: Tensor, rows: TensorDict) -> TensorDict:
        """All layers for one step: x [B, K, D] -> the new state of every layer, [B, K, layers, H] each."""
        shape = x.shape[:2]
        x = x.flatten(0, 1)  # [B * K, D]
        past = [rows[name].flatten(0, 1) for name in self.state_names]  # [B * K, layers, H]
        layers = []
        for layer, weights in enumerate(self.network.all_weights):
            if layer:
                x = F.dropout(x, self.config.dropout, self.training)
            state = tuple(h[:, layer] for h in past)
            new = self._cell(x, state if len(state) > 1 else state[0], weights)
            layers.append(new if isinstance(new, tuple) else (new,))
            x = layers[-1][0]
        stacked = [torch.stack(states, 1).unflatten(0, shape) for states in zip(*layers, strict=True)]
        return dict(zip(self.state_names, stacked, strict=True))

    def _cell(self, x: Tensor, state: Any, weights: Sequence[Tensor]) -> Any:
        """One layer for one step: x [B * K, D], state and new state [B * K, H] each."""
        w_ih, w_hh, b_ih, b_hh = weights
        if self.training or not self._packed.serve(x, w_ih):
            return self.cell(x, state, *weights)
        h = state[0] if isinstance(state, tuple) else state
        return self.gates(self._packed.linear(x, w_ih, b_ih), self._packed.linear(h, w_hh, b_hh), state)

    def _attentional(self, context: Tensor, top: Tensor) -> Tensor:
        """[B, Q, C] and [B, Q, H] -> [B, Q, H]"""
        vector = top if self.combine is None else torch.tanh(self.combine(torch.cat([context, top], -1)))
        return self.dropout(vector)


class RNNDecoder(RecurrentDecoder):
    """An Elman network with tanh."""

    network_class = nn.RNN
    cell = staticmethod(torch.rnn_tanh_cell)

    @staticmethod
    def gates(x: Tensor, h: Tensor, past: Tensor) -> Tensor:
        return torch.tanh(x + h)


class GRUDecoder(RecurrentDecoder):
    """A gated recurrent unit."""

    network_class = nn.GRU
    cell = staticmethod(torch.gru_cell)

    @staticmethod
    def gates(x: Tensor, h: Tensor, past: Tensor) -> Tensor:
        x_reset, x_update, x_new = x.chunk(3, -1)
        h_reset, h_update, h_new = h.chunk(3, -1)
        new = torch.tanh(x_new + torch.sigmoid(x_reset + h_reset) * h_new)
        return torch.lerp(new, past, torch.sigmoid(x_update + h_update))


class LSTMDecoder(RecurrentDecoder):
    """A long short-term memory."""

    network_class = nn.LSTM
    cell = staticmethod(torch.lstm_cell)
    state_names = ("h", "c")

    @staticmethod
    def gates(x: Tensor, h: Tensor, past: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        take, keep, new, show = (x + h).chunk(4, -1)
        c = torch.sigmoid(keep) * past[1] + torch.sigmoid(take) * torch.tanh(new)
        return torch.sigmoid(show) * torch.tanh(c), c


def _check(config: RecurrentDecoderConfig, looks_up: bool, memory: MemorySpec | None) -> None:
    where = f"decoder {config.name}"
    if looks_up and memory is None:
        raise ConfigError(f"{where}: attention {config.attention.name} needs an encoder; without one, use 'none'")
    if not looks_up and config.input_feeding:
        raise ConfigError(f"{where}: input_feeding feeds the attention's result back, but the attention is 'none'")
    if not looks_up and config.query == "previous":
        raise ConfigError(f"{where}: query 'previous' says when to look up, but the attention is 'none'")
    if config.tie_embeddings and config.embedding_size != config.size:
        raise ConfigError(
            f"{where}: tie_embeddings needs equal sizes, but embedding_size is {config.embedding_size} and size is "
            f"{config.size}"
        )
