"""What attention types share: the softmax over real positions, the states of a memory as keys and values, and attention
in several heads."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from seq2seq_kit.attention.training_attention import training_attention, training_attention_serves
from seq2seq_kit.interfaces import Memory
from seq2seq_kit.layers.dropout import Dropout


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


def padding_bias(real: Tensor) -> Tensor | None:
    """Minus infinity where a key is padding, [B, 1, 1, S]; None where none is.

    A sentence without any real position keeps its padding, as the softmax of nothing is NaN. Only on a CPU is it worth
    a look whether there is padding: elsewhere the answer would have to be waited for.
    """
    if real.is_cpu and not torch.compiler.is_compiling() and bool(real.all()):
        return None
    barred = ~real & real.any(1, keepdim=True)  # [B, S]
    return torch.zeros_like(barred, dtype=torch.float32).masked_fill(barred, -math.inf)[:, None, None]


def attend(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None,
    dropout: Dropout,
    *,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Scaled dot-product attention in several heads, by the quickest way there is.

    Args:
        query: [N, heads, Q, D].
        keys: [N, groups, S, D], each group for ``heads / groups`` heads.
        values: as ``keys``.
        bias: [N, heads, Q, S], or 1 in the place of any: added to the scores; never minus infinity for all keys.
        dropout: of weights.
        causal: query q sees the keys 0 to q alone; then without a bias.
        scale: of the scores; None: 1/√D.

    Returns: contexts [N, heads, Q, D].
    """
    drops = dropout.training and dropout.probability > 0
    if not drops and training_attention_serves(query, keys, values, bias):
        return training_attention(
            query, keys, values, bias, causal, query.shape[-1] ** -0.5 if scale is None else scale
        )
    bias = None if bias is None else bias.to(query.dtype)
    if _fused_is_quicker(query, dropout):
        probability = dropout.probability if dropout.training else 0.0
        grouped = keys.shape[1] != query.shape[1]
        return F.scaled_dot_product_attention(
            query, keys, values, bias, probability, causal, scale=scale, enable_gqa=grouped
        )
    if keys.shape[1] != query.shape[1]:
        keys, values = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (keys, values))
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ keys.transpose(2, 3)
    if causal:
        bias = torch.full(scores.shape[-2:], -math.inf, dtype=scores.dtype, device=scores.device).triu(1)
    weights = (scores if bias is None else scores + bias).softmax(-1)
    return dropout(weights) @ values


def _fused_is_quicker(query: Tensor, dropout: Dropout) -> bool:
    """Whether torch's fused kernel is quicker than products of matrices one after the other.

    On a CPU (torch 2.13) it is so for float32 multiplied as such: 1.3 times. With bfloat16, or float32 rounded to it,
    each of its many small products is a call of oneDNN, and a training step of it takes 3 to 10 times as long.
    """
    if not query.is_cpu or torch.compiler.is_compiling():
        return True
    exact = query.dtype == torch.float32 and torch.get_float32_matmul_precision() == "highest"
    return exact and not torch.is_autocast_enabled("cpu") and not (dropout.training and dropout.probability)
