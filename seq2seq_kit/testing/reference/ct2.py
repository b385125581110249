"""Beam search by the rules of ``semantics="ct2"`` (CTranslate2 4.8): one sentence at a time, plain Python, no tricks.

The float operations of a step, in order, each in float32: the processors on the raw scores; what is forbidden set to
-inf; log-softmax, so that what remains is renormalised; the bias towards a prefix; the sum of the hypothesis added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Finish, Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput, TokenSequence
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import length_limit, ranking_score

Scores = Callable[[list[int]], Tensor]

_PLAIN = SentenceInput()


@dataclass
class _Live:
    """A hypothesis that goes on, or a candidate: tokens, their log-probabilities, and the sum of these in float32."""

    tokens: list[int]
    log_probs: list[float]
    total: float


def search(
    score: Scores,
    options: SearchOptions,
    sentence: SentenceInput = _PLAIN,
    *,
    kind: ScoreKind = "logits",
    attention: Scores | None = None,
) -> list[Hypothesis]:
    """Search one sentence.

    Args:
        score: gives the scores [V] of the next token after a prefix (BOS not included).
        kind: makes no difference; scores are normalised after masking, whichever they are.
        attention: gives the attention [S'] of the step that scores the token after a prefix, for ``coverage_penalty``.
    """
    limit = length_limit(options, sentence)
    least = max(options.min_length, options.min_new_tokens and len(sentence.prefix) + options.min_new_tokens)
    if options.alternatives:
        return _alternatives(score, options, sentence.prefix[:limit], limit, least, sentence, attention)
    return _beam(score, options, sentence.prefix, limit, least, sentence, attention)


def _beam(
    score: Scores,
    options: SearchOptions,
    prefix: TokenSequence,
    limit: int,
    least: int,
    sentence: SentenceInput,
    attention: Scores | None,
) -> list[Hypothesis]:
    """At most ``limit`` tokens, EOS counted; EOS may come after ``least``."""
    forced, favoured = ((), prefix) if options.prefix_bias else (prefix, ())
    width = options.beam_size
    enough = math.floor(width * options.patience + 0.5) if width > 1 or favoured else 1  # greedy search has no patience
    live = [_Live([], [], 0.0)]
    follows = [True] * width  # the slots that still follow the favoured prefix
    finished: list[Hypothesis] = []
    best_has_ended = False

    for step in range(limit):
        candidates: list[_Live | None]  # best first; None where there is none
        if step < len(forced):
            candidates = [_Live([*live[0].tokens, forced[step]], [*live[0].log_probs, 0.0], 0.0)]
        else:
            rows = []
            for hypothesis, following in zip(live, follows, strict=False):
                row = _log_probs(score(hypothesis.tokens), hypothesis.tokens, options, len(prefix), least)
                rows.append(_favour(row, favoured[step], options) if following and step < len(favoured) else row)
            candidates = [*_continuations(live, rows)[: 2 * width]]
        if forced and step == len(forced):  # of the first free tokens only the best may be EOS
            candidates[1:] = [None if c is not None and _ended(c, options) else c for c in candidates[1:]]
        candidates += [None] * (2 * width - len(candidates))

        # As in CTranslate2, whose slots have this flag, not its hypotheses: reordering does not carry it along.
        follows = [
            step < len(favoured) and follows[k] and c is not None and c.tokens[-1] == favoured[step]
            for k, c in enumerate(candidates[:width])
        ]
        replacements = iter([c for c in candidates[width:] if c is None or not _ended(c, options)])
        for k, candidate in enumerate(candidates[:width]):
            if candidate and (step + 1 == limit or (_ended(candidate, options) and step >= len(forced))):
                best_has_ended |= k == 0
                finished.append(_finish(candidate, options, sentence, attention))
                candidates[k] = next(replacements, candidate)  # with several end symbols there may be none left
        if options.length_penalty == 0 and options.coverage_penalty == 0:
            done = best_has_ended and len(finished) >= options.n_best
        else:
            done = len(finished) >= enough
        if done:
            break
        follows = [flag for flag, c in zip(follows, candidates, strict=False) if c]
        follows += [False] * (width - len(follows))
        live = [c for c in candidates[:width] if c]

    finished.sort(key=lambda hypothesis: -hypothesis.score)  # stable: among equals, the one that finished first
    return finished[: options.n_best]


def _continuations(live: list[_Live], rows: list[Tensor]) -> list[_Live]:
    """All that may come next, best first; then the lower slot, then the lower token."""
    found = []
    for slot, (hypothesis, row) in enumerate(zip(live, rows, strict=True)):
        totals = torch.tensor(hypothesis.total) + row  # float32
        for token, (total, log_prob) in enumerate(zip(totals.tolist(), row.tolist(), strict=True)):
            if total > -math.inf:
                found.append((-total, slot, token, log_prob))
    found.sort()
    return [
        _Live([*live[slot].tokens, token], [*live[slot].log_probs, log_prob], -negative_total)
        for negative_total, slot, token, log_prob in found
    ]


def _log_probs(scores: Tensor, written: list[int], options: SearchOptions, start: int, least: int) -> Tensor:
    """[V]: the log-softmax of what the options leave, after the tokens ``written``; EOS must wait for ``least``."""
    scores = scores.float().clone()
    if len(written) < least:
        scores[list(options.eos_ids)] = -math.inf
    for token in set(written):
        penalty = options.repetition_penalty
        scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty
    size = options.no_repeat_ngram
    if size:
        for i in range(len(written) - size + 1):
            if written[i : i + size - 1] == written[len(written) - size + 1 :]:
                scores[written[i + size - 1]] = -math.inf
    scores[list(options.suppress)] = -math.inf
    if len(written) == start:
        scores[list(options.suppress_at_start)] = -math.inf
    for *before, token in options.bad_words:
        if before == written[max(0, len(written) - len(before)) :] or not before:
            scores[token] = -math.inf
    if options.unk_penalty:
        scores[options.unk_id] -= options.unk_penalty
    return scores if (scores == -math.inf).all() else torch.log_softmax(scores, -1)


def _favour(row: Tensor, token: int, options: SearchOptions) -> Tensor:
    """log((1 - bias) p + bias [at the token]), from p's logarithms."""
    bias = options.prefix_bias
    favoured = row + math.log1p(-bias)  # float32
    favoured[token] = math.log((1 - bias) * math.exp(row[token].item()) + bias)
    return favoured


def _ended(candidate: _Live, options: SearchOptions) -> bool:
    return candidate.tokens[-1] in options.eos_ids


def _finish(candidate: _Live, options: SearchOptions, sentence: SentenceInput, attention: Scores | None) -> Hypothesis:
    rank = ranking_score(options, sentence, candidate.total, len(candidate.tokens))
    if options.coverage_penalty and attention is not None:
        rank += options.coverage_penalty * _coverage(candidate.tokens, attention)
    finish: Finish = "eos" if _ended(candidate, options) else "length"
    return Hypothesis(candidate.tokens, rank, candidate.total, candidate.log_probs, finish)


def _coverage(tokens: list[int], attention: Scores) -> float:
    """The sum over the source of log(min(total attention, 1)), totals in float32; where it is 0 nothing is added."""
    total = torch.stack([attention(tokens[:length]).float() for length in range(len(tokens))]).cumsum(0)[-1]
    return sum(math.log(min(covered, 1.0)) for covered in total.tolist() if covered > 0)


def _alternatives(
    score: Scores,
    options: SearchOptions,
    prefix: TokenSequence,
    limit: int,
    least: int,
    sentence: SentenceInput,
    attention: Scores | None,
) -> list[Hypothesis]:
    """The best tokens after the prefix, each continued greedily, in the order of these tokens.

    As in CTranslate2, none of them is EOS, the processors see what comes after it only, and the score is its
    log-probability plus the score of what comes after it.
    """
    if len(prefix) == limit:
        return [Hypothesis([*prefix], 0.0, 0.0, [0.0] * limit, "length")]
    left = limit - len(prefix) - 1
    greedy = replace(options, beam_size=1, n_best=1)
    row = _log_probs(score([*prefix]), [], options, 0, 1)
    found = []
    for first in _continuations([_Live([*prefix], [0.0] * len(prefix), 0.0)], [row])[: options.n_best]:
        if left == 0:
            found.append(Hypothesis(first.tokens, first.total, first.total, first.log_probs, "length"))
            continue
        after, shown = _after(first.tokens, score), attention and _after(first.tokens, attention)
        for rest in _beam(after, greedy, (), left, max(least - len(first.tokens), 0), sentence, shown):
            log_probs = first.log_probs + rest.token_log_probs
            total = torch.tensor(log_probs).cumsum(0)[-1].item()
            found.append(
                Hypothesis(first.tokens + rest.tokens, first.total + rest.score, total, log_probs, rest.finish)
            )
    return found


def _after(begun: list[int], function: Scores) -> Scores:
    """The function of what comes after ``begun``."""
    return lambda written: function(begun + written)
