"""How tokens know their place: what is added to embeddings, and what self-attention is told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_kit.attention.functional import padding_bias
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.layers.relative import BucketBias, Rotation, alibi_bias, distances, rotation
from seq2seq_kit.layers.transformer_config import TransformerConfig

ABSOLUTE = ("sinusoidal", "learned", "none")
"""Kinds that leave self-attention as it is."""


@dataclass(frozen=True)
class Relations:
    """How queries and keys of self-attention lie to each other; made once, for all layers.

    Args:
        bias: [N, heads, Q, S], or 1 in the place of N or heads: added to the scores; minus infinity bars a key.
        causal: whether keys after a query are barred, by no ``bias``.
        rotation: the angles of the queries and of the keys at the same positions, for [B, Q, heads, D].
        distance: [Q, S], for embeddings of distances.
    """

    bias: Tensor | None = None
    causal: bool = False
    rotation: Rotation | None = None
    distance: Tensor | None = None


class Positions(nn.Module):
    """One of the kinds of positions of :class:`TransformerConfig`, for an encoder or (``causal``) a decoder.

    Raises:
        ConfigError: rotary positions with heads of an odd width.
    """

    def __init__(self, config: TransformerConfig, causal: bool) -> None:
        super().__init__()
        self.kind, self.heads, self.causal = config.positions, config.heads, causal
        self.head_size = config.head_size or config.size // config.heads
        self.offset, self.paper = config.position_offset, config.sinusoids == "paper"
        if self.kind == "rotary" and self.head_size % 2:
            raise ConfigError(
                f"{config.name}: rotary positions turn pairs of dimensions, but {config.heads} heads in size "
                f"{config.size} have an odd width, {self.head_size}: choose other sizes"
            )
        if self.kind == "learned":
            self.embedding = nn.Embedding(config.max_positions + self.offset, config.size)
            nn.init.normal_(self.embedding.weight, std=1.0 if config.embedding_scale else config.size**-0.5)
        elif self.kind == "t5":
            self.buckets = BucketBias(config.heads, config.max_distance or 128, causal)

    def add(self, embedded: Tensor, position: Tensor | None = None) -> Tensor:
        """``embedded`` [B, Q, H] with positions added to it.

        Args:
            position: of the queries of each sentence, [B]; None: they are 0, 1, …

        Raises:
            UserError: a learned position beyond the last.
        """
        if self.kind not in ("sinusoidal", "learned"):
            return embedded
        place = torch.arange(embedded.shape[1], device=embedded.device) if position is None else position.unsqueeze(1)
        if self.kind == "sinusoidal":
            return embedded + sinusoids(place + self.offset, embedded.shape[-1], self.paper).to(embedded.dtype)
        self._check_learned(embedded.shape[1] if position is None else int(position.max()) + 1)
        return embedded + self.embedding(place + self.offset)  # type: ignore[no-any-return]

    def relations(self, length: int, device: torch.device, real: Tensor | None = None) -> Relations:
        """What all positions of ``length`` = T are to each other.

        Args:
            real: [B, T], False where a key is padding; None: it never is, or is barred as what comes after.
        """
        place = torch.arange(length, device=device)
        distance = distances(place, place) if self.kind in ("shaw", "t5", "alibi") else None
        bias = self._bias(distance)  # [1, heads, T, T]
        if self.causal and distance is not None:
            later = torch.zeros_like(distance, dtype=torch.float32).masked_fill(distance > 0, -math.inf)
            bias = later[None, None] if bias is None else bias + later
        if real is not None and (padding := padding_bias(real)) is not None:
            bias = padding if bias is None else bias + padding
        turn = rotation(place.unsqueeze(1), self.head_size) if self.kind == "rotary" else None  # [T, 1, D / 2]
        return Relations(bias, self.causal and bias is None, turn, distance if self.kind == "shaw" else None)

    def relations_of_step(self, position: Tensor, past: int, padded: bool = False) -> Relations:
        """What the newest position is to ``past`` earlier ones and itself.

        Args:
            position: [B], that of the newest, the same for all; ``past`` itself, where a search began at 0.
            padded: of the ``past`` ones, only the first ``position`` are real.
        """
        turn = rotation(position[:, None, None], self.head_size) if self.kind == "rotary" else None  # [B, 1, 1, D / 2]
        relative = self.kind in ("shaw", "t5", "alibi")
        if not relative and not padded:
            return Relations(rotation=turn)
        distance = None
        index = torch.arange(past + 1, device=position.device)
        if relative:
            place = torch.cat([index[:-1], position[:1]]) if padded else index
            distance = distances(place[-1:], place)  # [1, past + 1]
        bias = self._bias(distance)
        if padded:
            barred = (index >= position[:1]) & (index < past)  # [past + 1]
            padding = torch.zeros_like(barred, dtype=torch.float32).masked_fill(barred, -math.inf)
            bias = padding[None, None, None] if bias is None else bias + padding
        return Relations(bias, rotation=turn, distance=distance if self.kind == "shaw" else None)

    def _bias(self, distance: Tensor | None) -> Tensor | None:
        """[1, heads, Q, S] for ``distance`` [Q, S]."""
        if distance is None or self.kind == "shaw":
            return None
        bias = alibi_bias(distance, self.heads) if self.kind == "alibi" else self.buckets(distance)
        return bias.unsqueeze(0)

    def _check_learned(self, length: int) -> None:
        known = self.embedding.num_embeddings - self.offset
        if length > known:
            raise UserError(
                f"there are learned positions for sequences of up to {known} tokens, and here is one of {length}: "
                "raise max_positions before training, or shorten what is read or written"
            )


def sinusoids(place: Tensor, size: int, paper: bool = False) -> Tensor:
    """Sines of growing wavelength at ``place`` [...], and their cosines (Vaswani et al. 2017, section 3.5): [..., H].

    Sines and cosines stand side by side, not in turn: the same function, dimensions renamed. ``paper``: with the
    wavelengths of the paper's formula, not those of its implementation; see ``sinusoids`` of the configuration.
    """
    angles = place.unsqueeze(-1) * sinusoid_frequencies(size, paper, place.device)  # [..., H / 2]
    return torch.cat([angles.sin(), angles.cos()], -1)[..., :size]


def sinusoid_frequencies(size: int, paper: bool, device: torch.device | None = None) -> Tensor:
    """Those of :func:`sinusoids` of width ``size`` = H: [(H + 1) / 2]."""
    half = (size + 1) // 2
    step = math.log(10000) / (size / 2 if paper else max(half - 1, 1))
    return torch.exp(-step * torch.arange(half, device=device, dtype=torch.float32))
