"""An encoder of frames: convolutions that shorten the input, then any other encoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit import (
    Batch,
    ComponentConfig,
    ConfigError,
    Encoder,
    Memory,
    SourceSpec,
    TargetSpec,
    build,
    component_field,
)

CTC = "ctc"
"""The entry of ``Memory.extras`` with the log-probabilities [B, S', V] of CTC at each state; the padding token is its
blank."""


class SpeechEncoderConfig(ComponentConfig):
    """Convolutions over time and frequency, then another encoder."""

    name: str = "speech"
    convolutions: int = Field(default=2, ge=0)
    """Convolutions of 3 frames by 3 features, each of which halves both: with two, S' = S / 4."""
    channels: int = Field(default=32, ge=1)
    """Feature maps of each."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Of what the other encoder reads."""
    encoder: component_field("encoder") = {"name": "lstm", "bidirectional": True}  # type: ignore[valid-type]
    """What reads the shortened frames: any encoder that takes continuous input."""
    ctc: bool = False
    """Also guess each state's token, or that there is none, for the criterion and the processor ``ctc``."""


class SpeechEncoder(Encoder):
    """Frames [B, S, F] to states [B, S', H], S' = S / 2^convolutions, rounded up at each.

    Padding is blanked before every convolution, so that it looks like the zeros past the end.

    Raises:
        ConfigError: the task has no frames.
    """

    def __init__(self, config: SpeechEncoderConfig, source: SourceSpec) -> None:
        super().__init__()
        if source.feature_size is None:
            raise ConfigError("encoder speech: reads frames, and the task has tokens for its source")
        features, maps = source.feature_size, 1
        self.convolutions = nn.ModuleList()
        for _ in range(config.convolutions):
            self.convolutions.append(nn.Conv2d(maps, config.channels, 3, stride=2, padding=1))
            features, maps = (features + 1) // 2, config.channels
        self.dropout = nn.Dropout(config.dropout)
        self.encoder: Encoder = build("encoder", config.encoder, SourceSpec(feature_size=features * maps))
        self.memory_spec = self.encoder.memory_spec
        self._ctc = config.ctc
        self.ctc_layer: nn.Linear | None = None

    def attach(self, target: TargetSpec) -> None:
        self.encoder.attach(target)
        if self._ctc:
            self.ctc_layer = nn.Linear(self.memory_spec.size, target.vocab_size)

    def forward(self, batch: Batch) -> Memory:
        source, mask = batch.source, batch.source_mask
        if mask.shape[1] == 0:  # convolutions refuse nothing at all: one frame of padding
            source, mask = F.pad(source, (0, 0, 0, 1)), F.pad(mask, (0, 1))
        x, mask = self._shorten(source, mask)
        memory: Memory = self.encoder(Batch(self.dropout(x), mask))
        if self.ctc_layer is not None:
            memory.extras[CTC] = self.ctc_layer(memory.states).float().log_softmax(-1)
        return memory

    def _shorten(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, F] and [B, S] -> [B, S', channels * F'] and [B, S']"""
        x = frames.unsqueeze(1)  # [B, 1, S, F]
        for convolution in self.convolutions:
            x = torch.relu(convolution(x.masked_fill(~mask[:, None, :, None], 0)))
            mask = mask[:, ::2]
        x = x.transpose(1, 2).flatten(2)  # [B, S', channels * F']
        return x.masked_fill(~mask.unsqueeze(-1), 0), mask
