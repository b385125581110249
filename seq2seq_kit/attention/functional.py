"""What attention types share: the softmax over real positions, and the states of a memory as keys and values."""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_kit.interfaces import Memory


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension where ``mask`` is True, and exactly 0 elsewhere.

    A row without any real position (an empty sentence) gives zeros, not NaN.

    Args:
        scores: [..., S'].
        mask: bool, broadcastable to ``scores``.
    """
    lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax is NaN where a whole row is masked
    return scores.masked_fill(~mask, lowest).softmax(-1).masked_fill(~mask, 0)


def real_states(memory: Memory) -> Tensor:
    """``memory.states`` with zeros on padding, so that whatever stands there reaches neither context nor gradient.

    Returns: [B, S', H].
    """
    return memory.states.masked_fill(~memory.mask.unsqueeze(-1), 0)


def additive_scores(query: Tensor, keys: Tensor, energy: Tensor) -> Tensor:
    """``energy`` · tanh(query + key) for each pair.

    Args:
        query: [B, Q, D].
        keys: [B, S', D].
        energy: [D].

    Returns: [B, Q, S'].
    """
    return torch.tanh(query.unsqueeze(2) + keys.unsqueeze(1)) @ energy
