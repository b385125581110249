"""What the slow references of all semantics share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind


def log_probs(scores: Tensor, kind: ScoreKind, temperature: float = 1.0) -> Tensor:
    """[V] float32: the log-softmax of ``scores / temperature``; what is impossible throughout stays so."""
    if (kind == "log_probs" and temperature == 1) or (scores == -math.inf).all():
        return scores.float()
    scaled = scores if temperature == 1 else scores.float() / temperature
    return torch.log_softmax(scaled, -1, dtype=torch.float32)


Candidate = tuple[float, int, int, float]
"""(sum with this token, live hypothesis, token, its log-probability)."""


def rank(candidate: Candidate) -> tuple[float, int, int]:
    """Higher sum first, then lower slot, then lower token id."""
    return -candidate[0], *candidate[1:3]


def best_candidates(rows: list[Tensor], totals: list[float]) -> list[Candidate]:
    """All continuations that are possible, best first. ``rows``: log-probabilities [V] after each live hypothesis."""
    candidates = []
    for slot, (before, row) in enumerate(zip(totals, rows, strict=True)):
        sums = torch.tensor(before) + row  # float32
        for token, (total, log_prob) in enumerate(zip(sums.tolist(), row.tolist(), strict=True)):
            if total > -math.inf:
                candidates.append((total, slot, token, log_prob))
    return sorted(candidates, key=rank)


def length_limit(options: SearchOptions, sentence: SentenceInput) -> int:
    """The tokens, a forced prefix counted, after which a sentence may only end."""
    limit = options.max_length
    if options.max_length_ratio:
        by_source = math.floor(options.max_length_ratio * sentence.source_length) + options.max_length_margin
        limit = max(1, min(limit, by_source))
    if options.max_new_tokens:
        limit = min(limit, len(sentence.prefix) + options.max_new_tokens)
    return limit


def ranking_score(options: SearchOptions, sentence: SentenceInput, total: float, length: int) -> float:
    """(s - wp n) / ((beta + n) / (beta + 1))**alpha + w min(0, 1 - expected / n), in float64."""
    beta = options.length_penalty_offset
    score = (total - options.word_penalty * length) / ((beta + length) / (beta + 1)) ** options.length_penalty
    if options.brevity_penalty:
        expected = options.brevity_ratio * sentence.source_length
        score += options.brevity_penalty * min(0.0, 1 - expected / length)
    return score
