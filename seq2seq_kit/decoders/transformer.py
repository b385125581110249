"""The Transformer decoder (Vaswani et al. 2017, "Attention is all you need"), and its quicker relatives, which look
back with average attention (Zhang et al. 2018) or a simple recurrence (Kim et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit.config import component_field
from seq2seq_kit.decoders.native_transformer import NativeTransformer, pack
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
from seq2seq_kit.layers.autoregressive import Autoregressive
from seq2seq_kit.layers.average import AverageAttention
from seq2seq_kit.layers.dropout import Dropout, WordDropout
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.feed_forward import FeedForward
from seq2seq_kit.layers.linear import glorot_linear
from seq2seq_kit.layers.native_transformer import KNOWN
from seq2seq_kit.layers.native_weights import NativeWeights, is_as_known
from seq2seq_kit.layers.norms import Residual, embedding_norm, final_norm
from seq2seq_kit.layers.packed_weights import PackedLinear, PackedWeights
from seq2seq_kit.layers.positions import ABSOLUTE, Positions, Relations
from seq2seq_kit.layers.self_attention import SelfAttention
from seq2seq_kit.layers.ssru import SSRU
from seq2seq_kit.layers.stack import drops_layer, run_layer
from seq2seq_kit.layers.training_linear import training_linear
from seq2seq_kit.layers.transformer_config import TransformerConfig
from seq2seq_kit.registry import build


def multihead_like_self_attention(values: dict[str, Any]) -> dict[str, Any]:
    """The section of the attention that a decoder's section with these ``values`` leaves out."""
    names = {"heads": "heads", "head_size": "head_size", "scale": "scale_attention", "bias": "bias"}
    names["dropout"] = "attention_dropout"
    fields = TransformerConfig.model_fields
    return {"name": "multihead"} | {ours: values.get(name, fields[name].default) for ours, name in names.items()}


class TransformerDecoderConfig(TransformerConfig):
    """A Transformer decoder."""

    name: str = "transformer"
    attention: component_field("attention") = Field(default_factory=multihead_like_self_attention)  # type: ignore[valid-type]
    """How each layer looks up the source: any attention that is not recurrent. Default: ``multihead`` with the
    decoder's ``heads``, ``head_size``, ``scale_attention``, ``bias`` and ``attention_dropout``. Without an encoder it
    is not used."""
    autoregressive: Literal["self_attention", "average", "ssru"] = "self_attention"
    """How each layer looks back: ``self_attention``; ``average`` of all before (Zhang et al. 2018); ``ssru``, a
    recurrence without products of matrices between steps (Kim et al. 2019). With the last two a step takes the same
    time wherever it is; positions are ``sinusoidal``, ``learned`` or ``none``."""
    average_feed_forward: bool = True
    """Pass the average through a feed-forward network, as the paper does; without, a step is quicker."""
    alignment_layer: int | None = Field(default=None, ge=1)
    """The layer, counted from 1, whose attention to the source is reported, as the mean over its heads; null: the
    last."""
    tie_embeddings: bool = True
    """Use the embedding matrix in the output layer too (Press & Wolf 2017)."""
    output_bias: bool = True
    """Add a learned bias to the final logits."""
    output_scale: float = Field(default=1.0, gt=0)
    """Multiplies what the output layer is given (T5 with tied embeddings: H^-0.5)."""


class TransformerDecoder(Decoder):
    """Layers that look back, look up the source and pass a feed-forward network; then the output layer.

    Built for no memory, or run without an encoder, it is a language model. ``history``: with self-attention
    ``layers.0.keys`` and so on, [B, K, t, groups, D]; ``rows``: of the other ways of looking back; ``sentences``: what
    each layer's attention projected.

    Raises:
        ConfigError: options that exclude each other, or sizes that do not fit.
    """

    output_reads_memory = False
    parallel = True
    takes_padding = True

    def __init__(self, config: TransformerDecoderConfig, target: TargetSpec, memory: MemorySpec | None) -> None:
        super().__init__()
        self.config = config
        _check(config)
        scale = config.size**0.5 if config.embedding_scale else 1.0
        self.embedding = ScaledEmbedding(target.vocab_size, config.size, target.pad_id, scale)
        self.positions = Positions(config, causal=True)
        if config.positions == "learned":
            self.takes_padding = False  # the position is looked at: there may be none so far
        self.embedding_norm = embedding_norm(config)
        self.word_dropout = WordDropout(config.word_dropout)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(DecoderLayer(config, memory) for _ in range(config.layers))
        self.alignment_layer = (config.alignment_layer or config.layers) - 1  # counted from 0
        self.norm = final_norm(config)
        self.output_layer: PackedLinear | None = None
        self.output_bias: nn.Parameter | None = None
        if not config.tie_embeddings:
            self.output_layer = PackedLinear(config.size, target.vocab_size, config.output_bias)
            nn.init.normal_(self.output_layer.weight, std=config.size**-0.5)
        elif config.output_bias:
            self.output_bias = nn.Parameter(torch.zeros(target.vocab_size))
        self._packed = PackedWeights()
        self._native = NativeWeights(pack)

    def train(self, mode: bool = True) -> TransformerDecoder:
        if mode:
            self._packed.clear()
            self._native.clear()
        return super().train(mode)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        like = self.embedding.weight.new_zeros(batch_size, self.config.size)
        state = DecoderState()
        for i, layer in self._numbered_layers():
            state.rows |= add_prefix(f"layers.{i}.", layer.autoregressive.first_rows(like))
            state.history |= add_prefix(f"layers.{i}.", layer.autoregressive.first_history(like))
            state.sentences |= add_prefix(f"layers.{i}.", layer.project(memory))
        return state

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        x = self._embed(tokens, position)  # [B, K, H]
        past = next((x.shape[2] for x in state.history.values()), 0)
        relations = self.positions.relations_of_step(position, past, state.padded)
        new_rows: TensorDict = {}
        new_history: TensorDict = {}
        attention = None
        for i, layer in self._numbered_layers():
            name = f"layers.{i}."
            rows, history, projected = (
                strip_prefix(name, part) for part in (state.rows, state.history, state.sentences)
            )
            wanted = self.attention_wanted and i == self.alignment_layer
            x, weights, rows, new = layer.step(x, position, rows, history, relations, projected, wanted)
            new_rows |= add_prefix(name, rows)
            new_history |= add_prefix(name, new)
            attention = weights if wanted else attention
        return StepOutput(self.output(self.norm(x), None), self.score_kind, new_rows, new_history, attention)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        x = self._embed(prefix)  # [B, T, H]
        relations = self.positions.relations(prefix.shape[1], x.device)
        attention = None
        for i, layer in self._numbered_layers():
            wanted = self.attention_wanted and i == self.alignment_layer
            if wanted or not drops_layer(self.config.layer_drop, self.training):
                x, weights = run_layer(layer, self.config.checkpoint_activations, x, relations, memory, wanted)
                attention = weights if wanted else attention
        return DecoderOutput(self.norm(x), attention)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        if self.config.output_scale != 1:
            hidden = hidden * self.config.output_scale
        if self.output_layer is not None:
            return self.output_layer(hidden)
        linear = training_linear if self.training else self._packed.linear
        return linear(hidden, self.embedding.weight, self.output_bias)

    def native(self, precision: Precision = "fp32") -> NativeTransformer | None:
        """With self-attention and ``multihead`` attention, for this class itself: a subclass may compute otherwise, and
        has to offer it anew. In eval mode, on the CPU, in float32."""
        if not is_as_known(self, (*KNOWN, TransformerDecoder, DecoderLayer)):
            return None
        return NativeTransformer(self._native.of(self, precision), self.attention_wanted)

    def _numbered_layers(self) -> Iterator[tuple[int, DecoderLayer]]:
        return enumerate(cast("Iterable[DecoderLayer]", self.layers))

    def _embed(self, tokens: Tensor, position: Tensor | None = None) -> Tensor:
        """Tokens [B, Q] at ``position`` [B], or at 0, 1, …: [B, Q, H]."""
        embedded = self.word_dropout(self.embedding(tokens))
        return self.dropout(self.embedding_norm(self.positions.add(embedded, position)))  # type: ignore[no-any-return]


class DecoderLayer(nn.Module):
    """Looks back, looks up the source (where there is one), then a feed-forward network.

    Raises:
        ConfigError: an attention that does not go with a Transformer.
    """

    def __init__(self, config: TransformerDecoderConfig, memory: MemorySpec | None) -> None:
        super().__init__()
        self.autoregressive = _autoregressive(config)
        self.autoregressive_residual = Residual(config)
        self.attention: Attention | None = None
        if memory is not None:
            self.attention = _build_attention(config, memory)
            fits = self.attention.context_size == config.size
            self.context = nn.Identity() if fits else glorot_linear(self.attention.context_size, config.size)
            self.attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def project(self, memory: Memory | None) -> TensorDict:
        """What the attention makes of the memory, once a sentence."""
        if self.attention is None:
            return {}
        if memory is None:
            raise UserError("this decoder was built to look up a source, and is given no memory")
        return self.attention.project(memory)

    def forward(
        self, x: Tensor, relations: Relations, memory: Memory | None, weights_wanted: bool
    ) -> tuple[Tensor, Tensor | None]:
        """[B, T, H] -> [B, T, H], and the attention's weights [B, T, S'] where they are wanted and there are any."""
        residual = self.autoregressive_residual
        x = residual.leave(x, self.autoregressive(residual.enter(x), relations))
        return self._look_up(x, self.project(memory), weights_wanted)

    def step(
        self,
        x: Tensor,
        position: Tensor,
        rows: TensorDict,
        history: TensorDict,
        relations: Relations,
        projected: TensorDict,
        weights_wanted: bool,
    ) -> tuple[Tensor, Tensor | None, TensorDict, TensorDict]:
        """[B, K, H] -> [B, K, H], the attention's weights [B, K, S'], the new rows and the new slice of history."""
        residual = self.autoregressive_residual
        y, rows, new_history = self.autoregressive.step(residual.enter(x), position, rows, history, relations)
        x, weights = self._look_up(residual.leave(x, y), projected, weights_wanted)
        return x, weights, rows, new_history

    def _look_up(self, x: Tensor, projected: TensorDict, weights_wanted: bool) -> tuple[Tensor, Tensor | None]:
        """What comes after looking back: [B, Q, H] -> [B, Q, H] and weights [B, Q, S']."""
        weights = None
        if self.attention is not None:
            residual = self.attention_residual
            self.attention.weights_wanted = weights_wanted
            context, weights, _ = self.attention(residual.enter(x), projected, {})
            x = residual.leave(x, self.context(context))
        residual = self.feed_forward_residual
        return residual.leave(x, self.feed_forward(residual.enter(x))), weights


def _autoregressive(config: TransformerDecoderConfig) -> Autoregressive:
    if config.autoregressive == "average":
        return AverageAttention(config, config.average_feed_forward)
    return SelfAttention(config) if config.autoregressive == "self_attention" else SSRU(config)


def _build_attention(config: TransformerDecoderConfig, memory: MemorySpec) -> Attention:
    attention: Attention = build("attention", config.attention, config.size, memory)
    where = f"decoder {config.name}: attention {config.attention.name}"
    if attention.recurrent:
        raise ConfigError(f"{where} looks up one position at a time, and a Transformer all at once: choose another")
    if attention.context_size == 0:
        raise ConfigError(f"{where} would leave the source unread: choose another")
    return attention


def _check(config: TransformerDecoderConfig) -> None:
    where = f"decoder {config.name}"
    if config.autoregressive != "self_attention" and config.positions not in ABSOLUTE:
        raise ConfigError(
            f"{where}: positions '{config.positions}' are told to self-attention, but autoregressive is "
            f"'{config.autoregressive}': choose {', '.join(ABSOLUTE[:-1])} or {ABSOLUTE[-1]}"
        )
    if config.alignment_layer is not None and config.alignment_layer > config.layers:
        raise ConfigError(f"{where}: alignment_layer is {config.alignment_layer}, but there are {config.layers} layers")
