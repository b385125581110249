"""Tiny recurrent decoders for the tests: every documented option, alone and in random company."""

from __future__ import annotations

import random
from typing import Any

import torch
from tiny_models import TARGET, lengths_mask

from seq2seq_kit.config import validate
from seq2seq_kit.decoders.recurrent import (
    GRUDecoder,
    GRUDecoderConfig,
    LSTMDecoder,
    LSTMDecoderConfig,
    RecurrentDecoder,
    RNNDecoder,
    RNNDecoderConfig,
)
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Memory, MemorySpec

SIZE = 8
DECODERS: dict[str, tuple[Any, Any]] = {
    "lstm": (LSTMDecoder, LSTMDecoderConfig),
    "gru": (GRUDecoder, GRUDecoderConfig),
    "rnn": (RNNDecoder, RNNDecoderConfig),
}
OPTIONS: dict[str, list[Any]] = {
    "cell": [*DECODERS],
    "attention": [
        {"name": "luong"},
        {"name": "luong", "score": "dot"},
        {"name": "luong", "score": "concat"},
        {"name": "none"},
        {"name": "bahdanau"},
        {"name": "bahdanau", "size": 5},
        {"name": "scaled_dot"},
        {"name": "scaled_dot", "size": 19},
        {"name": "multihead", "heads": 2},
        {"name": "multihead", "heads": 3, "size": 7, "head_size": 5, "scale": False, "bias": False},
    ],
    "query": ["current", "previous"],
    "input_feeding": [False, True],
    "bridge": ["linear", "copy", "zero"],
    "tie_embeddings": [False, True],
    "layers": [2, 1, 3],
    "size": [SIZE, 18],
    "embedding_size": [SIZE, 5, 18],
    "dropout": [0.0, 0.5],
    "final": [("h", "c"), ("h",), ()],
}
"""The default first; ``final``: what the encoder has of it."""


def memory_spec(final: tuple[str, ...] = ("h", "c")) -> MemorySpec:
    return MemorySpec(SIZE, {name: (2, SIZE) for name in final})


def recurrent_memory(lengths: list[int], final: tuple[str, ...] = ("h", "c"), seed: int = 0) -> Memory:
    """Random states, with padding that is noticed where it is read."""
    generator = torch.Generator().manual_seed(seed)
    mask = lengths_mask(lengths)
    states = torch.randn(len(lengths), mask.shape[1], SIZE, generator=generator)
    ends = {name: torch.randn(len(lengths), 2, SIZE, generator=generator) for name in final}
    return Memory(states.masked_fill(~mask.unsqueeze(-1), 1e9), mask, ends)


def recurrent_decoder(memory: bool = True, **options: Any) -> RecurrentDecoder:
    """A tiny decoder in eval mode whose distributions are neither flat nor certain, with every parameter in use."""
    torch.manual_seed(0)
    chosen: dict[str, Any] = {name: values[0] for name, values in OPTIONS.items()} | options
    cls, config = DECODERS[chosen.pop("cell")]
    final = chosen.pop("final")
    spec = memory_spec(final) if memory else None
    decoder: RecurrentDecoder = cls(validate(config, chosen, "test"), TARGET, spec)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        decoder.embedding.weight.normal_()
        if decoder.output_layer is not None:
            decoder.output_layer.weight.normal_()
    return decoder.eval()


def recurrent_options(count: int) -> list[dict[str, Any]]:
    """Each value other than the default by itself, then ``count`` random combinations; none that is refused."""
    draw = random.Random(0)
    wanted = [{}, *({name: value} for name, values in OPTIONS.items() for value in values[1:])]
    found = [options for options in wanted if _is_allowed(options)]
    alone = len(found)
    while len(found) < alone + count:
        options = {name: draw.choice(values) for name, values in OPTIONS.items()}
        if _is_allowed(options):
            found.append(options)
    return found


def _is_allowed(options: dict[str, Any]) -> bool:
    try:
        recurrent_decoder(**options)
    except ConfigError:
        return False
    return True
