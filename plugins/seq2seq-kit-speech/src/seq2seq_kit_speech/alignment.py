"""When each token was said, as the attention of an output has it."""

from __future__ import annotations

import torch
from torch import Tensor

SILENT = 0.1
"""A token is heard where its weight is at least this share of its largest."""


def spans(attention: Tensor) -> list[tuple[int, int]]:
    """The states that each token was read from, as (first, one after the last); they follow each other in order.

    Each state is given to one token, such that the order of tokens is kept, each has one at least, and the sum of
    weights is largest (dynamic programming, as in the Viterbi algorithm). Then the ends of a token's states where it
    is hardly looked at, such as pauses, are taken off.

    Args:
        attention: [T, S'], with the row of EOS, which takes what follows the last token.

    Returns: one for each row; none where there are fewer states than rows.
    """
    tokens, states = attention.shape
    if tokens == 0 or states < tokens:
        return []
    weights = attention.double().cpu()
    best = torch.full((tokens, states), -torch.inf, dtype=torch.float64)
    came = torch.zeros(tokens, states, dtype=torch.bool)  # from the token before
    best[0] = weights[0].cumsum(0)
    for s in range(1, states):
        stay, step = best[1:, s - 1], best[:-1, s - 1]
        came[1:, s] = step > stay
        best[1:, s] = torch.maximum(stay, step) + weights[1:, s]
    ends, token = [states] * tokens, tokens - 1
    for s in range(states - 1, 0, -1):
        if came[token, s]:
            token -= 1
            ends[token] = s
    starts = [0, *ends[:-1]]
    return [_trimmed(weights[t, a:b], a) for t, (a, b) in enumerate(zip(starts, ends, strict=True))]


def _trimmed(weights: Tensor, start: int) -> tuple[int, int]:
    heard = (weights >= SILENT * weights.max()).nonzero().flatten().tolist()
    return start + heard[0], start + heard[-1] + 1
