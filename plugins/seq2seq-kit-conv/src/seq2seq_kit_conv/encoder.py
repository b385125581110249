"""The convolutional encoder (Gehring et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit import Batch, ComponentConfig, ConfigError, Encoder, Memory, MemorySpec, SourceSpec
from seq2seq_kit_conv.layers import HALF, GatedConvolution, PositionEmbedding, embedding, linear, windows

EMBEDDED = "conv.embedded"
"""The entry of ``Memory.extras`` with the input embeddings, which the decoder adds to what it attends to."""


class ConvEncoderConfig(ComponentConfig):
    """A convolutional encoder."""

    name: str = "conv"
    embedding_size: int = Field(default=256, ge=1)
    """Width of the embeddings, and of the states that come out."""
    size: int = Field(default=256, ge=1)
    """H, the width of the convolutions."""
    layers: int = Field(default=4, ge=1)
    """Convolutional layers; each lets a state see ``kernel - 1`` more positions."""
    kernel: int = Field(default=3, ge=1)
    """Positions that a convolution sees, half of them on either side."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout on the embeddings and before each convolution."""
    max_positions: int = Field(default=1024, ge=1)
    """Learned positions; all later ones share the last one's embedding."""


class ConvEncoder(Encoder):
    """Residual blocks of gated convolutions over embedded tokens (or projected frames) and positions.

    Padding is blanked before every convolution, so it looks to a sentence like the zeros past the batch's end. There is
    no final state: a recurrent decoder starts from the mean of the states.
    """

    def __init__(self, config: ConvEncoderConfig, source: SourceSpec) -> None:
        super().__init__()
        self.config = config
        self.embedding: nn.Module
        if source.vocab_size is not None:
            self.embedding = embedding(source.vocab_size, config.embedding_size, source.pad_id)
        elif source.feature_size is not None:
            self.embedding = linear(source.feature_size, config.embedding_size)
        else:
            raise ConfigError("encoder conv: the task gives neither a source vocabulary nor a feature size")
        self.positions = PositionEmbedding(config.max_positions, config.embedding_size)
        self.dropout = nn.Dropout(config.dropout)
        self.widen = linear(config.embedding_size, config.size, config.dropout)
        self.layers = nn.ModuleList(
            GatedConvolution(config.size, config.kernel, config.dropout) for _ in range(config.layers)
        )
        self.narrow = linear(config.size, config.embedding_size)
        self.memory_spec = MemorySpec(config.embedding_size)

    def forward(self, batch: Batch) -> Memory:
        mask = batch.source_mask  # [B, S]
        padding = ~mask.unsqueeze(-1)
        positions = torch.arange(mask.shape[1], device=mask.device)
        embedded = self.dropout(self.embedding(batch.source) + self.positions(positions))  # [B, S, E]
        x = self.widen(embedded)  # [B, S, H]
        for layer in self.layers if mask.shape[1] else ():
            x = (self._convolve(layer, x.masked_fill(padding, 0)) + x) * HALF
        states = self.narrow(x).masked_fill(padding, 0)
        return Memory(states, mask, extras={EMBEDDED: embedded.masked_fill(padding, 0)})

    def _convolve(self, layer: nn.Module, x: Tensor) -> Tensor:
        kernel = self.config.kernel
        convolved: Tensor = layer(windows(self.dropout(x), kernel, left=(kernel - 1) // 2))
        return convolved
