"""Sampling, written to be read: the random generator, the warpers, the draws.

Tokens are drawn by whole numbers. With x the scores of a row, m their maximum and d = m - x in float32, a token weighs
w = 2**30 exp(-d), rounded; so the sums of weights are exact, and nothing depends on the order of additions. A token is
drawn by inverting the distribution function: the first, in ascending order, at which the sum of weights exceeds a
random whole number below their total.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.testing.reference.common import Candidate

ONE = 2**30
"""The weight of the likeliest token."""


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011)."""
    low = 2**32 - 1
    for _ in range(10):
        left, right = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = (right >> 32 ^ counter[1] ^ key[0], right & low, left >> 32 ^ counter[3] ^ key[1], left & low)
        key = (key[0] + 0x9E3779B9 & low, key[1] + 0xBB67AE85 & low)
    return counter


def random_below(size: int, seed: int, sentence: int, sample: int, position: int, draw: int) -> int:
    """A whole number of at least 0 and below ``size``."""
    low = 2**32 - 1
    words = philox((sentence & low, sample & low, position & low, draw & low), (seed & low, seed >> 32 & low))
    return (words[1] << 32 | words[0]) * size >> 64


def exp(x: Tensor) -> Tensor:
    """exp(x) for x <= 0, float32, by Cephes' polynomial: one rounding an operation, so that C++ has the same bits."""
    x = x.clamp(min=-87.0)
    shifted = x * 1.44269504 + 12582912.0  # 1.5 * 2**23: adding it rounds to an integer
    n = shifted - 12582912.0
    r = (x - n * 0.693359375) - n * -2.12194440e-4
    p = torch.full_like(x, 1.9875691500e-4)
    for term in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + term
    p = p * r * r + r + 1.0
    return p * ((n.int() + 127) << 23).view(torch.float32)  # 2**n


@dataclass
class Masses:
    """What is known of the scores [V] of a row in which something is possible."""

    d: Tensor
    """[V] float32: how much less likely than the likeliest, in nats."""
    weights: list[int]
    total: int
    mean: float
    """The mean of d."""
    log_total: float
    """-log p = d + log_total."""


def masses(scores: Tensor) -> Masses:
    d = scores.max() - scores
    scaled = exp(-d) * ONE
    weights: list[int] = (scaled + 0.5).int().tolist()
    surprisals = (torch.where(scaled >= 0.5, scaled * d, 0.0) + 0.5).int()
    total = sum(weights)
    return Masses(d, weights, total, sum(surprisals.tolist()) / total, math.log(total / ONE))


def warp(scores: Tensor, options: SearchOptions) -> Tensor:
    """The scores [V], -inf where top-H, top-k, top-p, min-p, typical, epsilon and eta, in this order, remove them.

    Each leaves a token; where Hugging Face draws beams, one more than there are end symbols.
    """
    if scores.max() == -math.inf:
        return scores
    least = 1 + len(options.eos_ids) if options.semantics == "hf" and options.sampling == "beams" else 1
    if options.top_h:
        scores = _keep_entropy(scores, options.top_h)
    if options.top_k and options.top_k < len(scores):
        d = scores.max() - scores
        scores = _keep(scores, 0.0, d.sort().values[options.top_k - 1].item(), least)
    if options.top_p < 1:
        scores = _keep_nearest(scores, 0.0, options.top_p, least)
    if options.min_p:
        scores = _keep(scores, 0.0, -math.log(options.min_p), least)
    if options.typical_p < 1:
        scores = _keep_nearest(scores, masses(scores).mean, options.typical_p, least)
    if options.epsilon:
        scores = _keep(scores, 0.0, max(0.0, -math.log(options.epsilon) - masses(scores).log_total), least)
    if options.eta:
        m = masses(scores)
        cutoff = min(options.eta, math.sqrt(options.eta) * math.exp(-(m.mean + m.log_total)))
        scores = _keep(scores, 0.0, max(0.0, -math.log(cutoff) - m.log_total), least)
    return scores


def _distance(scores: Tensor, centre: float) -> Tensor:
    return ((scores.max() - scores) - torch.tensor(centre)).abs()  # float32


def _keep(scores: Tensor, centre: float, radius: float, least: int) -> Tensor:
    """Keep the tokens no further from ``centre`` than ``radius``, or the ``least`` nearest."""
    distance = _distance(scores, centre)
    enough = distance.sort().values[min(least, len(scores)) - 1] if least > 1 else torch.tensor(0.0)
    return torch.where(distance <= torch.maximum(torch.tensor(radius), enough), scores, -math.inf)


def _keep_entropy(scores: Tensor, share: float) -> Tensor:
    """Keep the likeliest of the 100 likeliest, whose terms -p log p add up to at most ``share`` of the entropy."""
    m = masses(scores.sort(descending=True).values[:100])
    possible = [(d, w / m.total) for d, w in zip(m.d.tolist(), m.weights, strict=True) if w]
    so_far = list(itertools.accumulate(p * (d + m.log_total) for d, p in possible))
    kept = sum(entropy <= share * so_far[-1] for entropy in so_far)
    return _keep(scores, 0.0, possible[max(kept, 1) - 1][0], 1)


def _keep_nearest(scores: Tensor, centre: float, share: float, least: int) -> Tensor:
    """Keep the tokens nearest to ``centre`` that together weigh at least ``share`` of all."""
    m = masses(scores)
    reached = 0
    for distance, weight in sorted(zip(_distance(scores, centre).tolist(), m.weights, strict=True)):
        reached += weight
        if weight and reached >= share * m.total:
            return _keep(scores, centre, distance, least)
    raise AssertionError("the whole weighs less than a part of it")


def draw(scores: Tensor, random: Callable[[int], int]) -> int | None:
    """The token of scores [V] that ``random`` chooses, a function to a whole number below its argument."""
    if scores.max() == -math.inf:
        return None
    m = masses(scores)
    left = random(m.total)
    for token, weight in enumerate(m.weights):
        left -= weight
        if left < 0:
            return token
    raise AssertionError("a random number beyond its range")


def draw_candidates(
    rows: list[Tensor], totals: list[float], wanted: int, length: int, options: SearchOptions, sentence: SentenceInput
) -> list[Candidate]:
    """``sampling="beams"``: candidates drawn without replacement, in the order in which they are drawn.

    Args:
        rows: for each slot the log-probabilities [V] of the next token.
        totals: for each slot its hypothesis' sum.
    """
    if options.semantics == "hf":  # there the temperature comes after the log-softmax
        rows = [row / options.temperature for row in rows]
    joint = torch.stack([torch.tensor(total) + warp(row, options) for row, total in zip(rows, totals, strict=True)])
    greatest, candidates = joint.max(), list[Candidate]()
    if greatest == -math.inf:
        return []
    weights: list[list[int]] = (exp(joint - greatest) * ONE + 0.5).int().tolist()
    for nth in range(wanted):
        total = sum(map(sum, weights))
        if total == 0:
            break
        left = random_below(total, options.seed, sentence.key, 0, length, nth)
        places = ((slot, token) for slot, row in enumerate(weights) for token in range(len(row)))
        for slot, token in places:
            left -= weights[slot][token]
            if left < 0:
                break
        weights[slot][token] = 0
        log_prob = rows[slot][token]
        candidates.append(((torch.tensor(totals[slot]) + log_prob).item(), slot, token, log_prob.item()))
    return candidates
