"""Diverse beam search (Vijayakumar et al. 2018), sibling penalties (Li et al. 2016) and alternatives after a prefix, by
the rules of ``semantics="kit"``: one sentence at a time, plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Finish, Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import length_limit, ranking_score
from seq2seq_kit.testing.reference.kit import row


@dataclass
class _Live:
    tokens: list[int]
    log_probs: list[float]
    total: float


_Candidate = tuple[float, int, int, float, float]
"""(what it is chosen by, slot, token, its log-probability, sum with it)."""


def search(
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    sentence: SentenceInput = SentenceInput(),
    *,
    kind: ScoreKind = "logits",
) -> list[Hypothesis]:
    """Search one sentence with ``groups``, ``sibling_penalty`` or ``alternatives``.

    No early stop is needed, because one changes nothing but time.
    """
    limit = length_limit(options, sentence)
    width = options.beam_size // options.groups
    groups = [[_Live([], [], 0.0)] for _ in range(options.groups)]
    finished: list[list[Hypothesis]] = [[] for _ in groups]
    in_order: list[Hypothesis] = []  # as they finished

    while any(groups):
        chosen: Counter[int] = Counter()
        for g, live in enumerate(groups):
            rows = [row(score(h.tokens), h.tokens, limit, options, sentence, kind) for h in live]
            candidates = _candidates(live, rows, width - len(finished[g]), chosen, options, sentence)
            chosen.update(candidate[2] for candidate in candidates)
            groups[g] = []
            for _, slot, token, log_prob, total in candidates:
                tokens, log_probs = [*live[slot].tokens, token], [*live[slot].log_probs, log_prob]
                if token in options.eos_ids or (not options.eos_ids and len(tokens) == limit):
                    why: Finish = "eos" if token in options.eos_ids and len(tokens) <= limit else "length"
                    rank = ranking_score(options, sentence, total, len(tokens))
                    finished[g].append(Hypothesis(tokens, rank, total, log_probs, why))
                    in_order.append(finished[g][-1])
                else:
                    groups[g].append(_Live(tokens, log_probs, total))
    if options.alternatives:
        return _by_alternative(in_order, len(sentence.prefix), score, options, sentence, kind)[: options.n_best]
    return sorted(in_order, key=lambda hypothesis: -hypothesis.score)[: options.n_best]


def _candidates(
    live: list[_Live],
    rows: list[Tensor],
    wanted: int,
    chosen: Counter[int],
    options: SearchOptions,
    sentence: SentenceInput,
) -> list[_Candidate]:
    candidates: list[_Candidate] = []
    for slot, (hypothesis, log_probs) in enumerate(zip(live, rows, strict=True)):
        penalised = log_probs.clone()
        for token, times in chosen.items():
            if token < len(penalised):
                penalised[token] -= torch.tensor(options.diversity_penalty, dtype=torch.float32) * times
        by = torch.tensor(hypothesis.total) + penalised
        totals = torch.tensor(hypothesis.total) + log_probs
        siblings = [
            (by[token].item(), slot, token, log_probs[token].item(), totals[token].item())
            for token in range(len(log_probs))
            if by[token] > -math.inf
        ]
        siblings.sort(key=lambda candidate: (-candidate[0], candidate[2]))
        if options.alternatives:  # each goes on alone, but where the alternatives are chosen
            branches = options.beam_size if len(hypothesis.tokens) == len(sentence.prefix) else 1
            candidates += siblings[:branches]
            continue
        if options.sibling_penalty:
            weight = torch.tensor(options.sibling_penalty, dtype=torch.float32)
            siblings = [
                ((torch.tensor(candidate[0]) - weight * (rank + 1)).item(), *candidate[1:])
                for rank, candidate in enumerate(siblings[:wanted])
            ]
        candidates += siblings
    if options.alternatives:
        return candidates
    # A stable sort: ties go to the lower slot, and among siblings to the better one, then to the lower token.
    return sorted(candidates, key=lambda candidate: (-candidate[0], candidate[1]))[:wanted]


def _by_alternative(
    finished: list[Hypothesis],
    place: int,
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    sentence: SentenceInput,
    kind: ScoreKind,
) -> list[Hypothesis]:
    """In the order of the tokens after the prefix: likelier first, then the lower token."""
    limit = length_limit(options, sentence)

    def order(hypothesis: Hypothesis) -> tuple[float, int]:
        if len(hypothesis.tokens) <= place:
            return -math.inf, 0
        after = row(score(hypothesis.tokens[:place]), hypothesis.tokens[:place], limit, options, sentence, kind)
        token = hypothesis.tokens[place]
        return -(torch.tensor(_sum_of(hypothesis, place)) + after[token]).item(), token

    return sorted(finished, key=order)


def _sum_of(hypothesis: Hypothesis, length: int) -> float:
    """The float32 sum of the first ``length`` log-probabilities."""
    total = torch.zeros(())
    for log_prob in hypothesis.token_log_probs[:length]:
        total = total + log_prob
    return float(total)
