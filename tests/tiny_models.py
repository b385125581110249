"""Tiny models and batches for the tests of components: every encoder, decoder and attention, by configuration."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from seq2seq_kit.config import validate
from seq2seq_kit.interfaces import Batch, SourceSpec, TargetSpec
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.run_config import ModelConfig

SOURCE = SourceSpec(vocab_size=9)
TARGET = TargetSpec(vocab_size=11)

TINY_TRANSFORMER = {"size": 8, "layers": 2, "heads": 2, "feed_forward_size": 12}
CELLS = ("rnn", "gru", "lstm")
ATTENTIONS: dict[str, Any] = {
    "none": "none",
    "bahdanau": "bahdanau",
    "luong-dot": {"name": "luong", "score": "dot"},
    "luong-general": {"name": "luong", "score": "general"},
    "luong-concat": {"name": "luong", "score": "concat"},
    "scaled_dot": "scaled_dot",
    "multihead": {"name": "multihead", "heads": 2},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "current": {},
    "previous": {"query": "previous"},
    "feeding": {"input_feeding": True},
    "previous-feeding": {"query": "previous", "input_feeding": True},
}
PRODUCT = list(itertools.product(CELLS, CELLS, ATTENTIONS))
"""Every (encoder, decoder, attention)."""
PRODUCT_OF_VARIANTS = [
    (*member, variant) for member in PRODUCT for variant in VARIANTS if variant == "current" or member[2] != "none"
]
"""The same with every variant of the decoder that the attention allows."""


def model_config(encoder: str | dict[str, Any] = "gru", decoder: str | dict[str, Any] = "gru") -> ModelConfig:
    """A tiny model's configuration; what is given overrides the tiny defaults."""
    encoder = {"name": encoder} if isinstance(encoder, str) else encoder
    decoder = {"name": decoder} if isinstance(decoder, str) else decoder
    two_ways = {} if encoder["name"] == "transformer" else {"bidirectional": True}
    sections = {"encoder": {**_sizes(encoder), **two_ways, **encoder}, "decoder": {**_sizes(decoder), **decoder}}
    return validate(ModelConfig, sections, "test")


def _sizes(section: dict[str, Any]) -> dict[str, Any]:
    return TINY_TRANSFORMER if section["name"] == "transformer" else {"size": 8, "embedding_size": 6, "layers": 2}


def tiny_model(encoder: str | dict[str, Any] = "gru", decoder: str | dict[str, Any] = "gru", seed: int = 0) -> Model:
    """A tiny model in eval mode, its biases and energies no longer zero, so that a forgotten one shows."""
    torch.manual_seed(seed)
    model = build_model(model_config(encoder, decoder), SOURCE, TARGET).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embedding" in name:
                parameter.normal_()
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def member(encoder: str, decoder: str, attention: str, variant: str = "current", **options: Any) -> Model:
    """The tiny model of one member of the product."""
    section = {"name": decoder, "attention": ATTENTIONS[attention], **VARIANTS[variant], **options}
    return tiny_model(encoder, section)


def lengths_mask(lengths: list[int], width: int | None = None) -> Tensor:
    """[B, width] bool, True at real positions."""
    width = max(lengths) if width is None else width
    return torch.arange(width) < torch.tensor(lengths).unsqueeze(1)


def tiny_batch(lengths: tuple[int, ...] = (6, 3, 0, 1), target_length: int = 5, seed: int = 0) -> Batch:
    """A padded batch of random sentences, an empty source among them, every target of ``target_length``."""
    generator = torch.Generator().manual_seed(seed)
    mask = lengths_mask(list(lengths))
    source = torch.randint(4, 9, mask.shape, generator=generator).masked_fill(~mask, SOURCE.pad_id)
    target = torch.randint(4, 11, (len(lengths), target_length), generator=generator)
    target[:, -1] = TARGET.eos_id
    return Batch(source, mask, target, torch.ones_like(target, dtype=torch.bool), list(range(len(lengths))))
