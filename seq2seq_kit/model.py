"""A model is an encoder and a decoder, or a decoder alone."""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import (
    Batch,
    Decoder,
    DecoderOutput,
    Encoder,
    Memory,
    ScoreKind,
    SourceSpec,
    TargetSpec,
    shift_right,
)
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import ModelConfig


class Model(nn.Module):
    """An encoder and a decoder; see :func:`build_model`.

    Args:
        encoder: None for a language model, whose decoder has no memory.
        target: the target's special ids.
    """

    def __init__(self, encoder: Encoder | None, decoder: Decoder, target: TargetSpec) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.target = target

    def encode(self, batch: Batch) -> Memory | None:
        """What the encoder makes of the sources; None without an encoder."""
        return None if self.encoder is None else self.encoder(batch)

    def forward(self, batch: Batch) -> tuple[Tensor, ScoreKind, DecoderOutput]:
        """Teacher forcing: the scores [B, T, V'] of each label of ``batch.target`` given the source and the labels
        before it, their kind, and what else the decoder returned (hidden states, attention, its own losses)."""
        if batch.target is None:
            raise UserError("this batch has no target to be trained or scored with")
        memory = self.encode(batch)
        decoded = self.decoder(shift_right(batch.target, self.target.bos_id), memory)
        return self.decoder.output(decoded.hidden, memory), self.decoder.score_kind, decoded


def build_model(config: ModelConfig, source: SourceSpec | None, target: TargetSpec) -> Model:
    """The model that a configuration names, with fresh parameters (seed torch for the same ones again).

    The built-in components start as PyTorch's own layers do: embeddings from N(0, 1), padding 0; recurrent and linear
    layers uniform within ± 1/√width. (With embeddings ten times smaller, recurrent models learn several times slower.)

    Raises:
        ConfigError: the components do not fit each other; the message says which sizes and what to do.
        PluginError: there is no such component.
    """
    encoder = None if config.encoder is None else build("encoder", config.encoder, source)
    decoder = build("decoder", config.decoder, target, None if encoder is None else encoder.memory_spec)
    return Model(encoder, decoder, target)
