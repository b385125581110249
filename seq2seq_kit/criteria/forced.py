"""A teacher-forced pass up to the output layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from seq2seq_kit.interfaces import Batch, Decoder, DecoderOutput, Memory
from seq2seq_kit.model import Model
from seq2seq_kit.unroll import decoder_input


@dataclass
class Forced:
    """A pass of a model over known targets: all but the output layer."""

    model: Model
    memory: Memory | None
    prefix: Tensor  # [B, T]: what the decoder was fed
    decoded: DecoderOutput


def teacher_force(
    model: Model, batch: Batch, forcing: float = 1.0, *, prefix: Tensor | None = None, attention: bool = False
) -> Forced:
    """Encode the sources, and decode the labels ``batch.target`` [B, T], each given those before it.

    Args:
        forcing: the probability that the decoder is fed the label and not its own output; see
            :func:`seq2seq_kit.unroll.decoder_input`.
        prefix: [B, T], what to feed instead, BOS first: another pass's.
        attention: whether ``decoded.attention`` will be read.
    """
    assert batch.target is not None
    memory = model.encode(batch)
    with read_attention(model.decoder, attention):
        if prefix is None:
            prefix = decoder_input(model.decoder, memory, batch.target, model.target, forcing)
        return Forced(model, memory, prefix, model.decoder(prefix, memory))


@contextmanager
def read_attention(decoder: Decoder, wanted: bool) -> Iterator[None]:
    """Tell a decoder whether its attention will be read, for as long as a block takes."""
    before, decoder.attention_wanted = decoder.attention_wanted, wanted
    try:
        yield
    finally:
        decoder.attention_wanted = before
