"""Relative positions: what self-attention is told of how far a key is from a query.

Shaw, Uszkoreit & Vaswani 2018, "Self-attention with relative position representations"; Raffel et al. 2020, "Exploring
the limits of transfer learning with a unified text-to-text transformer" (T5); Su et al. 2021, "RoFormer: enhanced
transformer with rotary position embedding"; Press, Smith & Lewis 2022, "Train short, test long: attention with linear
biases enables input length extrapolation" (ALiBi).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of the angles, [..., D / 2] each."""


def rotation(positions: Tensor, size: int, base: float = 10000.0) -> Rotation:
    """The angles at ``positions`` [...] for vectors of width ``size`` = D (Su et al. 2021, equation 15)."""
    angles = positions.unsqueeze(-1) * rotation_frequencies(size, base, positions.device)  # [..., D / 2]
    return angles.cos(), angles.sin()


def rotation_frequencies(size: int, base: float = 10000.0, device: torch.device | None = None) -> Tensor:
    """Those of :func:`rotation`: [D / 2]."""
    return base ** -(torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)


def rotate(x: Tensor, angles: Rotation) -> Tensor:
    """``x`` [..., D] turned by ``angles`` that broadcast to it.

    Dimension i is paired with i + D/2, not with its neighbour as in the paper: the same function, dimensions renamed.
    """
    cos, sin = (a.to(x.dtype) for a in angles)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def distances(queries: Tensor, keys: Tensor) -> Tensor:
    """Key position minus query position, for positions [Q] and [S]: [Q, S]."""
    return keys.unsqueeze(0) - queries.unsqueeze(1)


def alibi_bias(distance: Tensor, heads: int) -> Tensor:
    """−slope · \\|distance\\| for ``distance`` [Q, S], with slopes 2^(−8 i / heads) for i = 1 … heads: [heads, Q, S].

    The paper has keys before the query only; an encoder sees the same on both sides.
    """
    return -alibi_slopes(heads, distance.device)[:, None, None] * distance.abs()


def alibi_slopes(heads: int, device: torch.device | None = None) -> Tensor:
    """Those of :func:`alibi_bias`: [heads]."""
    return torch.pow(2, -8 * torch.arange(1, heads + 1, device=device, dtype=torch.float32) / heads)


class BucketBias(nn.Module):
    """A learned bias for each head and bucket of distances, one for all layers (Raffel et al. 2020, section 2.1).

    Half of the buckets are for one distance each, the others grow with its logarithm up to ``max_distance``, and the
    last takes what is beyond. An encoder has half of them for keys after the query.
    """

    def __init__(self, heads: int, max_distance: int, causal: bool, buckets: int = 32) -> None:
        super().__init__()
        self.max_distance, self.causal, self.buckets = max_distance, causal, buckets
        self.bias = nn.Embedding(buckets, heads)
        nn.init.zeros_(self.bias.weight)

    def forward(self, distance: Tensor) -> Tensor:
        """``distance`` [Q, S] -> [heads, Q, S]"""
        return self.bias(self.bucket(distance)).permute(2, 0, 1)  # type: ignore[no-any-return]

    def by_distance(self) -> Tensor:
        """The biases of keys 0, 1, 2, … before the query, the last for all that are further; an encoder's of keys
        −n, …, n behind the query, the first and the last for all that are further: [distances, heads]."""
        beyond = max(self.max_distance, self.buckets // 2 + 1)
        distance = torch.arange(0, -beyond - 1, -1) if self.causal else torch.arange(-beyond, beyond + 1)
        return self.bias(self.bucket(distance.to(self.bias.weight.device)))  # type: ignore[no-any-return]

    def bucket(self, distance: Tensor) -> Tensor:
        """The bucket of each distance, same shape."""
        buckets = self.buckets if self.causal else self.buckets // 2
        after = (distance > 0).long() * buckets * (not self.causal)
        far = (-distance).clamp(min=0) if self.causal else distance.abs()
        exact = buckets // 2
        growth = (far.clamp(min=1) / exact).log() / math.log(max(self.max_distance, exact + 1) / exact)
        grown = exact + (growth * (buckets - exact)).long()
        return after + torch.where(far < exact, far, grown.clamp(max=buckets - 1))


class DistanceEmbeddings(nn.Module):
    """A vector for keys and one for values for each distance from −k to k, the same for all heads (Shaw et al. 2018,
    equations 3 and 4; k is ``max_distance``)."""

    def __init__(self, head_size: int, max_distance: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.keys = nn.Embedding(2 * max_distance + 1, head_size)
        self.values = nn.Embedding(2 * max_distance + 1, head_size)
        nn.init.xavier_uniform_(self.keys.weight)
        nn.init.xavier_uniform_(self.values.weight)

    def scores(self, query: Tensor, distance: Tensor) -> Tensor:
        """What is added to the scores of ``query`` [N, heads, Q, D] at ``distance`` [Q, S]: [N, heads, Q, S]."""
        return torch.einsum("nhqd,qsd->nhqs", query, self.keys(self._index(distance)))

    def contexts(self, weights: Tensor, distance: Tensor) -> Tensor:
        """What is added to the contexts of ``weights`` [N, heads, Q, S]: [N, heads, Q, D]."""
        return torch.einsum("nhqs,qsd->nhqd", weights, self.values(self._index(distance)))

    def by_distance(self, causal: bool) -> tuple[Tensor, Tensor]:
        """The vectors for keys and for values 0, 1, 2, … before the query, the last for all that are further; unless
        ``causal`` for those −k, …, k behind it: [distances, D] each."""
        if not causal:
            return self.keys.weight, self.values.weight
        return tuple(e.weight[: self.max_distance + 1].flip(0) for e in (self.keys, self.values))  # type: ignore[return-value]

    def _index(self, distance: Tensor) -> Tensor:
        return distance.clamp(-self.max_distance, self.max_distance) + self.max_distance
