"""Live hypotheses and their continuations, as the references of several semantics keep them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference import processors
from seq2seq_kit.testing.reference.common import length_limit, log_probs, ranking_score

Score = Callable[[list[int]], Tensor]
"""Gives the scores [V] of the token after a prefix of generated tokens (BOS not included), or the attention [S'] of the
step that scores it."""


PLAIN = SentenceInput()


@dataclass(frozen=True)
class Live:
    """A hypothesis that goes on: its tokens, their log-probabilities, and the sum of these in float32."""

    tokens: list[int]
    log_probs: list[float]
    total: float


START = Live([], [], 0.0)


@dataclass(frozen=True)
class Candidate:
    """The live hypothesis ``slot``, continued by ``token``; ``total`` includes the token's ``log_prob``."""

    total: float
    slot: int
    token: int
    log_prob: float

    def order(self) -> tuple[float, int, int]:
        """Higher total first, then lower slot, then lower token id."""
        return -self.total, self.slot, self.token

    def extend(self, live: Sequence[Live]) -> Live:
        before = live[self.slot]
        return Live([*before.tokens, self.token], [*before.log_probs, self.log_prob], self.total)

    def finish(
        self,
        live: Sequence[Live],
        options: SearchOptions,
        sentence: SentenceInput,
        attention: Score | None,
        *,
        forced: bool,
        uncounted: int = 0,
    ) -> Hypothesis:
        """``forced``: the length limit ended it. ``uncounted``: how much longer it is for its score."""
        ended = self.extend(live)
        rank = ranking_score(options, sentence, ended.total, len(ended.tokens) + uncounted)
        rank += coverage_penalty(options, ended.tokens, attention)
        return Hypothesis(ended.tokens, rank, ended.total, ended.log_probs, "length" if forced else "eos")


def coverage_penalty(options: SearchOptions, tokens: Sequence[int], attention: Score | None) -> float:
    """Of Wu et al. 2016 or of See et al. 2017: attention adds up in float32, the rest in float64.

    Args:
        attention: gives the attention [S'] of the step that scores the token after a prefix.
    """
    if attention is None or not options.coverage_penalty:
        return 0.0
    total, repeated = torch.zeros(()), 0.0
    for step in range(len(tokens)):
        now = attention([*tokens[:step]])
        before = total.expand_as(now)  # [S']
        for repeats in torch.minimum(now, before).tolist():
            repeated += repeats
        total = before + now
    if options.coverage == "see":
        return -options.coverage_penalty * repeated
    covered = 0.0
    for position in total.tolist():
        if position > 0:  # padding never has any
            covered += math.log(min(position, 1.0))
    return options.coverage_penalty * covered


def given(options: SearchOptions, sentence: SentenceInput) -> int:
    """How many tokens at the start of an output are forced, so that there is one candidate."""
    prefix = 0 if options.prefix_bias else len(sentence.prefix)
    return prefix or int(options.forced_first >= 0)


def next_rows(
    score: Score,
    live: Sequence[Live],
    options: SearchOptions,
    sentence: SentenceInput,
    kind: ScoreKind,
    *,
    eos_at_limit: bool,
) -> list[Tensor]:
    """For each live hypothesis the log-probabilities [V] of its next token.

    EOS is barred before ``min_length`` tokens (and ``min_new_tokens`` after the prefix), or all but EOS after
    ``length_limit`` of them where ``eos_at_limit``, which wins. All masks are applied after the log-softmax: what is
    barred keeps its share of the probability.
    """
    limit = length_limit(options, sentence)
    least = max(options.min_length, len(sentence.prefix) + options.min_new_tokens if options.min_new_tokens else 0)
    rows = []
    for hypothesis in live:
        row = log_probs(score(hypothesis.tokens), kind, options.temperature)  # [V]
        length = len(hypothesis.tokens)
        barred: Collection[int] = ()
        if eos_at_limit and options.eos_ids and length >= limit:
            barred = set(range(len(row))) - set(options.eos_ids)
        elif length < least:
            barred = options.eos_ids
        rows.append(processors.apply(row, hypothesis.tokens, options, sentence, limit, barred=tuple(barred)))
    return rows


def candidates(live: Sequence[Live], rows: Sequence[Tensor]) -> list[Candidate]:
    """All continuations that are possible, best first; totals are float32 additions."""
    found = []
    for slot, (hypothesis, row) in enumerate(zip(live, rows, strict=True)):
        totals = torch.tensor(hypothesis.total) + row  # [V] float32
        for token, (total, log_prob) in enumerate(zip(totals.tolist(), row.tolist(), strict=True)):
            if total > -math.inf:
                found.append(Candidate(total, slot, token, log_prob))
    return sorted(found, key=Candidate.order)


def best_first(finished: Sequence[Hypothesis]) -> list[Hypothesis]:
    """By score; among equals, the one that finished first."""
    return sorted(finished, key=lambda hypothesis: -hypothesis.score)
