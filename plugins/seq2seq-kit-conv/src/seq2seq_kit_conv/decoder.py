"""The convolutional decoder with attention in every layer (Gehring et al. 2017, sections 3.2 to 3.4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit import (
    ComponentConfig,
    ConfigError,
    Decoder,
    DecoderOutput,
    DecoderState,
    Memory,
    MemorySpec,
    StepOutput,
    TargetSpec,
    UserError,
)
from seq2seq_kit_conv.encoder import EMBEDDED
from seq2seq_kit_conv.layers import HALF, GatedConvolution, PositionEmbedding, embedding, linear, windows

TensorDict = dict[str, Tensor]


class ConvDecoderConfig(ComponentConfig):
    """A convolutional decoder."""

    name: str = "conv"
    embedding_size: int = Field(default=256, ge=1)
    """Width of the embeddings, of the attention and of the output layer's input."""
    size: int = Field(default=256, ge=1)
    """H, the width of the convolutions."""
    layers: int = Field(default=4, ge=1)
    """Convolutional layers, each with its own attention."""
    kernel: int = Field(default=3, ge=2)
    """Positions that a convolution sees: a token and the ``kernel - 1`` before it."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout on the embeddings, before each convolution and before the output layer."""
    max_positions: int = Field(default=1024, ge=1)
    """Learned positions; all later ones share the last one's embedding."""


class ConvDecoder(Decoder):
    """Residual blocks of a gated causal convolution and an attention.

    Keys are the encoder's states; values are those plus its input embeddings, where the encoder is this package's. An
    encoder of another width is projected. Weights are not normalised (the paper's are).

    ``rows``: ``window`` [B, K, layers, kernel - 1, H], the last inputs of each convolution. ``sentences``: ``keys``
    [B, E, S'], ``values`` [B, S', E], ``mask`` [B, S'], ``scale`` [B]. Nothing is kept in ``history``.
    """

    def __init__(self, config: ConvDecoderConfig, target: TargetSpec, memory: MemorySpec | None) -> None:
        super().__init__()
        if memory is None:
            raise ConfigError("decoder conv: attends to a source in every layer, so it needs an encoder")
        self.config = config
        width = config.embedding_size
        self.embedding = embedding(target.vocab_size, width, target.pad_id)
        self.positions = PositionEmbedding(config.max_positions, width)
        self.dropout = nn.Dropout(config.dropout)
        self.widen = linear(width, config.size, config.dropout)
        self.layers = nn.ModuleList(
            GatedConvolution(config.size, config.kernel, config.dropout) for _ in range(config.layers)
        )
        self.query = nn.ModuleList(linear(config.size, width) for _ in range(config.layers))
        self.context = nn.ModuleList(linear(width, config.size) for _ in range(config.layers))
        fits = memory.size == width
        self.key = nn.Identity() if fits else linear(memory.size, width)
        self.value = nn.Identity() if fits else linear(memory.size, width)
        self.narrow = linear(config.size, width)
        self.output_layer = linear(width, target.vocab_size, config.dropout)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        config = self.config
        window = self.output_layer.weight.new_zeros(batch_size, 1, config.layers, config.kernel - 1, config.size)
        return DecoderState(rows={"window": window}, sentences=self._project(memory))

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        embedded = self.dropout(self.embedding(tokens) + self.positions(position).unsqueeze(1))  # [B, K, E]
        past = state.rows["window"].unbind(2)  # for each layer [B, K, kernel - 1, H]
        inputs: list[Tensor] = []

        def window_of(layer: int, x: Tensor) -> Tensor:
            inputs.append(torch.cat([past[layer], x.unsqueeze(2)], 2))  # [B, K, kernel, H]
            return inputs[-1]

        hidden, attention = self._run(embedded, state.sentences, window_of)
        rows = {"window": torch.stack([window[:, :, 1:] for window in inputs], 2)}
        return StepOutput(self.output_layer(hidden), self.score_kind, rows, attention=attention)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        kernel = self.config.kernel
        positions = torch.arange(prefix.shape[1], device=prefix.device)
        embedded = self.dropout(self.embedding(prefix) + self.positions(positions))  # [B, T, E]
        hidden, attention = self._run(
            embedded, self._project(memory), lambda layer, x: windows(x, kernel, left=kernel - 1)
        )
        return DecoderOutput(hidden, attention)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        scores: Tensor = self.output_layer(hidden)
        return scores

    def _project(self, memory: Memory | None) -> TensorDict:
        """Keys, values, mask and scale: what the attentions of all layers look up, once per sentence."""
        if memory is None:
            raise UserError("decoder conv attends to a source in every layer, so it cannot decode without a memory")
        padding = ~memory.mask.unsqueeze(-1)  # [B, S', 1]
        states = memory.states.masked_fill(padding, 0)
        embedded = memory.extras.get(EMBEDDED)
        # Every layer's attention sends gradients to the encoder: scaled, for it to learn as fast as the decoder does.
        states = states.detach() + (states - states.detach()) / (2 * self.config.layers)
        values = states if embedded is None else (states + embedded) * HALF
        return {
            "keys": self.key(states).masked_fill(padding, 0).transpose(1, 2),
            "values": self.value(values).masked_fill(padding, 0),
            "mask": memory.mask,
            "scale": memory.mask.sum(1).to(values.dtype).sqrt(),
        }

    def _run(
        self, embedded: Tensor, source: TensorDict, window_of: Callable[[int, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """All layers over ``embedded`` [B, Q, E], Q being positions or hypotheses.

        Args:
            window_of: given a layer's number and its input [B, Q, H], the windows [B, Q, kernel, H] to convolve.

        Returns: what the output layer reads [B, Q, E], and the mean over layers of the attention [B, Q, S'].
        """
        x = self.widen(embedded)  # [B, Q, H]
        attention = []
        for number, layer in enumerate(self.layers):
            y = layer(window_of(number, self.dropout(x)))
            query = (self.query[number](y) + embedded) * HALF  # [B, Q, E]
            context, weights = _attend(query, source)
            y = (y + self.context[number](context)) * HALF
            x = (x + y) * HALF
            attention.append(weights)
        return self.dropout(self.narrow(x)), torch.stack(attention).mean(0)


def _attend(query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor]:
    """Dot-product attention. The context is scaled by the square root of the source's length, which undoes what the
    averaging takes from its variance (section 3.5). [B, Q, E] -> [B, Q, E] and weights [B, Q, S']"""
    padding = ~source["mask"].unsqueeze(1)  # [B, 1, S']
    scores = torch.bmm(query, source["keys"])
    # Not -inf, whose softmax is NaN for a source without any real position.
    weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
    return torch.bmm(weights, source["values"]) * source["scale"][:, None, None], weights
