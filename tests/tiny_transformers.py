"""Tiny Transformers for the tests: every documented option, alone and in random company."""

from __future__ import annotations

import random
from typing import Any

import torch
from tiny_models import SOURCE, TARGET, lengths_mask
from tiny_models import TINY_TRANSFORMER as TINY

from seq2seq_kit.config import validate
from seq2seq_kit.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from seq2seq_kit.encoders.transformer import TransformerEncoder, TransformerEncoderConfig
from seq2seq_kit.interfaces import Memory, MemorySpec, SourceSpec

MEMORY = MemorySpec(6)

SHARED: dict[str, list[Any]] = {
    "positions": ["sinusoidal", "learned", "shaw", "t5", "rotary", "alibi", "none"],
    "norm": ["layer", "rms"],
    "norm_position": ["pre", "post"],
    "final_norm": [None, True, False],
    "norm_epsilon": [None, 0.1],
    "embedding_norm": [False, True],
    "activation": ["relu", "gelu", "gelu_tanh", "silu", "reglu", "geglu", "geglu_tanh", "swiglu"],
    "bias": [True, False],
    "head_size": [None, 6],
    "scale_attention": [True, False],
    "position_offset": [0, 2],
    "sinusoids": ["tensor2tensor", "paper"],
    "key_value_heads": [None, 1],
    "max_distance": [None, 2],
    "layers": [2, 1],
    "embedding_scale": [True, False],
    "dropout": [0.1, 0.5],
    "attention_dropout": [0.0, 0.5],
    "activation_dropout": [0.0, 0.5],
    "word_dropout": [0.0, 0.5],
    "layer_drop": [0.0, 0.5],
    "checkpoint_activations": [False, True],
}
"""What encoder and decoder have, the default first."""
DECODER: dict[str, list[Any]] = SHARED | {
    "autoregressive": ["self_attention", "average", "ssru"],
    "average_feed_forward": [True, False],
    "attention": [
        None,
        "bahdanau",
        {"name": "multihead", "heads": 1, "size": 6},
        {"name": "multihead", "heads": 2, "head_size": 3, "scale": False, "bias": False},
    ],
    "alignment_layer": [None, 1],
    "tie_embeddings": [True, False],
    "output_bias": [True, False],
    "output_scale": [1.0, 0.5],
}
"""What the decoder has."""


def one_at_a_time(choices: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Each value other than the default, with all else at its default."""
    return [{name: value} for name, values in choices.items() for value in values[1:]]


def together(choices: dict[str, list[Any]], count: int) -> list[dict[str, Any]]:
    """Random combinations of all options, those left out that the decoder refuses."""
    draw = random.Random(0)
    found: list[dict[str, Any]] = []
    while len(found) < count:
        options = {name: draw.choice(values) for name, values in choices.items()}
        absolute = options["positions"] in ("sinusoidal", "learned", "none")
        if absolute or options.get("autoregressive", "self_attention") == "self_attention":
            found.append(options)
    return found


def name_of(options: Any) -> str:
    """A test's name."""
    return "-".join(str(value) for value in options.values()) if isinstance(options, dict) else str(options)


def tiny_encoder(source: SourceSpec = SOURCE, **options: Any) -> TransformerEncoder:
    """A tiny encoder in eval mode."""
    torch.manual_seed(0)
    return TransformerEncoder(validate(TransformerEncoderConfig, TINY | options, "test"), source).eval()


def tiny_decoder(memory: MemorySpec | None = MEMORY, **options: Any) -> TransformerDecoder:
    """A tiny decoder in eval mode; ``attention: None`` stands for the default one."""
    torch.manual_seed(0)
    options = {name: value for name, value in options.items() if (name, value) != ("attention", None)}
    return TransformerDecoder(validate(TransformerDecoderConfig, TINY | options, "test"), TARGET, memory).eval()


def shake(module: torch.nn.Module) -> None:
    """Move every parameter, so that a bias that starts at 0 is one that shows when it is forgotten."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def transformer_decoder(memory: MemorySpec | None = MEMORY, **options: Any) -> TransformerDecoder:
    """A decoder whose distributions are neither flat nor certain, and with every parameter in use."""
    decoder = tiny_decoder(memory, **options)
    shake(decoder)
    with torch.no_grad():
        decoder.embedding.weight.normal_()
    return decoder.eval()


def transformer_memory(lengths: list[int], seed: int = 0) -> Memory:
    """Random states, with padding that is noticed where it is read."""
    generator = torch.Generator().manual_seed(seed)
    mask = lengths_mask(lengths)
    states = torch.randn(len(lengths), mask.shape[1], MEMORY.size, generator=generator)
    return Memory(states.masked_fill(~mask.unsqueeze(-1), 1e9), mask)
