"""Beam search by the rules of ``semantics="ct2"`` (CTranslate2 4.8): one sentence at a time, plain Python, no tricks.

The float operations of a step, in order, each in float32: the processors on the raw scores; what is forbidden set to
-inf; log-softmax, so that what remains is renormalised; the bias towards a prefix; the sum of the hypothesis added.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Finish, Hypothesis
from seq2seq_kit.decoding.inputs import Automaton, SentenceInput, TokenSequence
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference import processors
from seq2seq_kit.testing.reference.common import length_limit, log_probs, ranking_score

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
        return _alternatives(score, options, sentence, limit, least, attention)
    return _beam(score, options, sentence, limit, least, attention)


def _beam(
    score: Scores,
    options: SearchOptions,
    sentence: SentenceInput,
    limit: int,
    least: int,
    attention: Scores | None,
) -> list[Hypothesis]:
    """At most ``limit`` tokens, EOS counted; EOS may come after ``least``."""
    forced, favoured = ((), sentence.prefix) if options.prefix_bias else (sentence.prefix, ())
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
                barred = options.eos_ids if step < least else ()
                row = _row(score(hypothesis.tokens), hypothesis.tokens, options, sentence, limit, barred)
                rows.append(_favour(row, favoured[step], options) if following and step < len(favoured) else row)
            candidates = [*_continuations(live, rows)[: 2 * width]]
        if forced and step == len(forced):
            candidates[1:] = [_without_eos(c, options) for c in candidates[1:] if c]
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
        going_on = [k for k, c in enumerate(candidates[:width]) if c and c.total > -math.inf]
        live = [c for c in candidates[:width] if c and c.total > -math.inf]
        follows = [follows[k] for k in going_on] + [False] * (width - len(going_on))

    finished.sort(key=lambda hypothesis: -hypothesis.score)  # stable: among equals, the one that finished first
    return [hypothesis for hypothesis in finished[: options.n_best] if hypothesis.score > -math.inf]


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


def _row(
    scores: Tensor,
    written: list[int],
    options: SearchOptions,
    sentence: SentenceInput,
    limit: int,
    barred: TokenSequence,
) -> Tensor:
    """[V]: the log-softmax of what the options leave."""
    edited = processors.apply(scores.float(), written, options, sentence, limit, barred=barred)
    return log_probs(edited, "logits", options.temperature)


def _favour(row: Tensor, token: int, options: SearchOptions) -> Tensor:
    """log((1 - bias) p + bias [at the token]), from p's logarithms."""
    bias = options.prefix_bias
    favoured = row + math.log1p(-bias)  # float32
    favoured[token] = math.log((1 - bias) * math.exp(row[token].item()) + bias)
    return favoured


def _without_eos(candidate: _Live, options: SearchOptions) -> _Live:
    """Where a prefix ends, only the best candidate may be EOS. The others become token 0, and impossible.

    So does CTranslate2; where token 0 is an end symbol, as Marian's is, they count among the finished.
    """
    return (
        _Live([*candidate.tokens[:-1], 0], candidate.log_probs, -math.inf) if _ended(candidate, options) else candidate
    )


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
    total = _sum([attention(tokens[:length]).float() for length in range(len(tokens))])  # [S']
    return sum(math.log(min(covered, 1.0)) for covered in total.tolist() if covered > 0)


def _sum(parts: list[Tensor]) -> Tensor:
    """In float32, from the first to the last."""
    return functools.reduce(torch.add, parts)


def _alternatives(
    score: Scores,
    options: SearchOptions,
    sentence: SentenceInput,
    limit: int,
    least: int,
    attention: Scores | None,
) -> list[Hypothesis]:
    """The best tokens after the prefix, each continued greedily, in the order of these tokens.

    As in CTranslate2, none of them is EOS, the processors see what comes after it only, and the score is its
    log-probability plus the score of what comes after it.
    """
    prefix = sentence.prefix[:limit]
    if len(prefix) == limit:
        return [Hypothesis([*prefix], 0.0, 0.0, [0.0] * limit, "length")]
    left = limit - len(prefix) - 1
    greedy = replace(options, beam_size=1, n_best=1)
    unprompted = _after_tokens(sentence, prefix)
    row = _row(score([*prefix]), [], options, unprompted, left + 1, options.eos_ids)
    found = []
    for first in _continuations([_Live([*prefix], [0.0] * len(prefix), 0.0)], [row])[: options.n_best]:
        if left == 0:
            found.append(Hypothesis(first.tokens, first.total, first.total, first.log_probs, "length"))
            continue
        after, shown = _after(first.tokens, score), attention and _after(first.tokens, attention)
        for rest in _beam(
            after, greedy, _after_tokens(sentence, first.tokens), left, max(least - len(first.tokens), 0), shown
        ):
            parts = first.log_probs + rest.token_log_probs
            total = _sum([torch.tensor(part) for part in parts]).item()
            found.append(Hypothesis(first.tokens + rest.tokens, first.total + rest.score, total, parts, rest.finish))
    return found


def _after_tokens(sentence: SentenceInput, begun: Sequence[int]) -> SentenceInput:
    """The sentence as one that begins after ``begun``: without prefix, its automaton where these tokens lead it."""
    automaton, state = sentence.automaton, 0
    if automaton is None:
        return replace(sentence, prefix=())
    for token in begun:
        if token not in automaton.arcs[state]:
            return replace(sentence, prefix=(), automaton=Automaton([{}]))
        state = automaton.arcs[state][token]
    swapped = {0: state, state: 0}
    arcs = [
        {token: swapped.get(to, to) for token, to in automaton.arcs[swapped.get(i, i)].items()}
        for i in range(len(automaton.arcs))
    ]
    accepting = frozenset(swapped.get(i, i) for i in automaton.accepting)
    return replace(sentence, prefix=(), automaton=Automaton(arcs, accepting))


def _after(begun: list[int], function: Scores) -> Scores:
    """The function of what comes after ``begun``."""
    return lambda written: function(begun + written)
