"""A model is an encoder and a decoder, or a decoder alone."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from seq2seq_kit.errors import ConfigError, UserError
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
        return None if self.encoder is None else with_extras(self.encoder(batch), batch)

    def forward(self, batch: Batch) -> tuple[Tensor, ScoreKind, DecoderOutput]:
        """Teacher forcing: the scores [B, T, V'] of each label of ``batch.target`` given the source and the labels
        before it, their kind, and what else the decoder returned (hidden states, attention, its own losses)."""
        if batch.target is None:
            raise UserError("this batch has no target to be trained or scored with")
        memory = self.encode(batch)
        decoded = self.decoder(shift_right(batch.target, self.target.bos_id), memory)
        return self.decoder.output(decoded.hidden, memory), self.decoder.score_kind, decoded


def with_extras(memory: Memory, batch: Batch) -> Memory:
    """The memory with what the task says of a batch, beside what the encoder does."""
    return replace(memory, extras={**batch.extras, **memory.extras}) if batch.extras else memory


def build_model(
    config: ModelConfig, source: SourceSpec | None, target: TargetSpec, *, shared_vocabulary: bool = False
) -> Model:
    """The model that a configuration names, with fresh parameters (seed torch for the same ones again).

    The recurrent components start as PyTorch's own layers do: embeddings from N(0, 1), padding 0; recurrent and linear
    layers uniform within ± 1/√width. (With embeddings ten times smaller, recurrent models learn several times slower.)
    Those of the Transformer start as in its first implementations: Glorot's uniform matrices and zero biases.

    Args:
        shared_vocabulary: an id means the same token in a source and in a target, as ``Task.shared_vocabulary`` says.

    Raises:
        ConfigError: the components do not fit each other; the message says which sizes and what to do.
        PluginError: there is no such component.
    """
    encoder: Encoder | None = None
    if config.encoder is not None:
        encoder = build("encoder", config.encoder, source)
        encoder.attach(target)
    decoder = build("decoder", config.decoder, target, None if encoder is None else encoder.memory_spec)
    if config.share_embeddings:
        _share_embeddings(encoder, decoder, target.vocab_size, shared_vocabulary)
    return Model(encoder, decoder, target)


def _share_embeddings(encoder: Encoder | None, decoder: Decoder, vocab_size: int, shared_vocabulary: bool) -> None:
    """Make the decoder's embedding the encoder's too: the layer, and with it the scale that the decoder reads it at."""
    if encoder is None:
        raise ConfigError("share_embeddings: there is no encoder to share them with")
    if not shared_vocabulary:
        raise ConfigError(
            "share_embeddings: source and target have vocabularies of their own, so that one matrix cannot serve both: "
            "give the task one vocabulary (for translation: shared_tokenizer: true)"
        )
    ours, theirs = getattr(encoder, "embedding", None), getattr(decoder, "embedding", None)
    if not isinstance(ours, nn.Embedding) or not isinstance(theirs, nn.Embedding):
        which = "encoder" if not isinstance(ours, nn.Embedding) else "decoder"
        raise ConfigError(f"share_embeddings: this {which} has no nn.Embedding called 'embedding'")
    own = theirs.num_embeddings - vocab_size  # a decoder may have entries of its own after the vocabulary's
    if ours.embedding_dim != theirs.embedding_dim or ours.num_embeddings != vocab_size or own < 0:
        sizes = [f"{e.num_embeddings:,} tokens in size {e.embedding_dim}" for e in (ours, theirs)]
        raise ConfigError(f"share_embeddings: the encoder embeds {sizes[0]}, the decoder {sizes[1]}: make them equal")
    encoder.embedding = theirs
