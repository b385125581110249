"""Embedded tokens, each seen with its neighbours by convolutions."""

from __future__ import annotations

import torch
from pydantic import Field
from seq2seq_kit import Batch, ComponentConfig, ConfigError, Encoder, Memory, MemorySpec, SourceSpec
from torch import nn


class FrozenEncoderConfig(ComponentConfig):
    """The options of :class:`FrozenEncoder`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    size: int = Field(default=64, ge=1)
    """Width of embeddings and states."""
    layers: int = Field(default=2, ge=1)
    """How many convolutions, one after the other."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """The share of features that each layer does not see in training."""


class FrozenEncoder(Encoder):
    """Residual convolutions over three positions (see ``Encoder`` for the contract)."""

    def __init__(self, config: FrozenEncoderConfig, source: SourceSpec) -> None:
        super().__init__()
        if source.vocab_size is None:
            raise ConfigError("encoder frozen reads tokens, and this task gives frames")
        self.embedding = nn.Embedding(source.vocab_size, config.size, padding_idx=source.pad_id)
        self.layers = nn.ModuleList(nn.Conv1d(config.size, config.size, 3, padding=1) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        self.memory_spec = MemorySpec(config.size)

    def forward(self, batch: Batch) -> Memory:
        padding = ~batch.source_mask.unsqueeze(2)  # [B, S, 1]
        x = self.embedding(batch.source).masked_fill(padding, 0)  # [B, S, H]
        for layer in self.layers if x.shape[1] else ():
            convolved = layer(self.dropout(x).transpose(1, 2)).transpose(1, 2)  # [B, S, H]
            x = (x + torch.relu(convolved)).masked_fill(padding, 0)  # padding must look like what is past the end
        return Memory(x, batch.source_mask)
