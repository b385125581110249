"""Beam search written to be read: one sentence at a time, plain Python, no tricks.

It is the oracle of the C++ engine, which with ``numerics="reference"`` gives the same tokens, order and scores, bit for
bit. It shares no code with it. PyTorch does the arithmetic alone: a log-softmax and additions in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind


@dataclass
class _Live:
    """A hypothesis that has not ended: its tokens, their log-probabilities, and the sum of these in float32."""

    tokens: list[int]
    log_probs: list[float]
    total: float


def reference_search(
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    *,
    kind: ScoreKind = "logits",
    source_length: int = 0,
    stop_early: bool = True,
) -> list[Hypothesis]:
    """Search one sentence under ``semantics="kit"`` (see :class:`SearchOptions`).

    Args:
        score: gives the scores [V'] of the next token after a prefix (BOS not included).
        kind: whether these are logits or log-probabilities.
        source_length: counts where ``options.max_length_ratio`` is set.
        stop_early: stop as soon as no live hypothesis can enter the n best; without, go on until no slot is left. The
            result is the same.
    """
    limit = options.max_length
    if options.max_length_ratio:
        limit = min(limit, math.floor(options.max_length_ratio * source_length) + options.max_length_margin)
        limit = max(limit, 1)
    longest = limit + 1 if options.eos_ids else limit
    live = [_Live([], [], 0.0)]
    finished: list[Hypothesis] = []

    while live and len(finished) < options.beam_size:
        if stop_early and len(finished) >= options.n_best:
            # Log-probabilities only fall, so this is the most that any continuation of a live hypothesis can score.
            bound = max(hypothesis.total for hypothesis in live) / float(longest) ** options.length_penalty
            if bound <= finished[options.n_best - 1].score:
                break

        length = len(live[0].tokens)
        candidates = []
        for slot, hypothesis in enumerate(live):
            log_probs = _log_probs(score(hypothesis.tokens), kind)
            totals = torch.tensor(hypothesis.total) + log_probs  # float32
            for token, (total, log_prob) in enumerate(zip(totals.tolist(), log_probs.tolist(), strict=True)):
                if total > -math.inf and _is_allowed(token, length, limit, options):
                    candidates.append((-total, slot, token, log_prob))
        candidates.sort()  # higher total first, then lower slot, then lower token id

        continued = []
        for negative_total, slot, token, log_prob in candidates[: options.beam_size - len(finished)]:
            tokens, so_far = [*live[slot].tokens, token], [*live[slot].log_probs, log_prob]
            total = -negative_total
            if token in options.eos_ids or len(tokens) == longest:
                rank = total / float(len(tokens)) ** options.length_penalty
                finished.append(Hypothesis(tokens, rank, total, so_far))
            else:
                continued.append(_Live(tokens, so_far, total))
        finished.sort(key=lambda hypothesis: -hypothesis.score)  # stable: among equals, the one that finished first
        live = continued

    return finished[: options.n_best]


def _log_probs(scores: Tensor, kind: ScoreKind) -> Tensor:
    if kind == "log_probs" or (scores == -math.inf).all():
        return scores.float()
    return torch.log_softmax(scores, -1, dtype=torch.float32)


def _is_allowed(token: int, length: int, limit: int, options: SearchOptions) -> bool:
    """Masks are applied after log-softmax: what is forbidden keeps its share of the probability."""
    if not options.eos_ids:
        return True
    if length == limit:
        return token in options.eos_ids
    return length >= options.min_length or token not in options.eos_ids
