"""Beam search by the rules of ``semantics="kit"``: one sentence at a time, plain Python, no tricks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference import processors
from seq2seq_kit.testing.reference.common import best_candidates, length_limit, log_probs, rank, ranking_score
from seq2seq_kit.testing.reference.sampling import draw_candidates


@dataclass
class _Live:
    """A hypothesis that has not ended: its tokens, their log-probabilities, and the sum of these in float32."""

    tokens: list[int]
    log_probs: list[float]
    total: float


def search(
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    sentence: SentenceInput = SentenceInput(),
    *,
    kind: ScoreKind = "logits",
    stop_early: bool = True,
) -> list[Hypothesis]:
    """Search one sentence; see :func:`seq2seq_kit.testing.reference_search.reference_search`.

    ``stop_early=False`` goes on until no slot is left: the result is the same.
    """
    stop_early = stop_early and not _may_raise(options)
    limit = length_limit(options, sentence)
    longest = limit + 1 if options.eos_ids else limit
    live = [_Live([], [], 0.0)]
    finished: list[Hypothesis] = []

    while live and len(finished) < options.beam_size:
        if stop_early and len(finished) >= options.n_best:
            # Log-probabilities only fall, so this is the most that any continuation of a live hypothesis can score.
            best = max(hypothesis.total for hypothesis in live)
            shortest = len(live[0].tokens) + 1
            bound = max(ranking_score(options, sentence, best, n) for n in range(shortest, longest + 1))
            if bound <= finished[options.n_best - 1].score:
                break

        length = len(live[0].tokens)
        rows = [row(score(h.tokens), h.tokens, limit, options, sentence, kind) for h in live]  # K times [V]
        wanted = options.beam_size - len(finished)
        if options.sampling == "beams":
            candidates = draw_candidates(rows, [h.total for h in live], wanted, length, options, sentence)
        else:
            candidates = best_candidates(rows, [h.total for h in live])[:wanted]

        continued = []
        for total, slot, token, log_prob in sorted(candidates, key=rank):
            tokens, so_far = [*live[slot].tokens, token], [*live[slot].log_probs, log_prob]
            if token in options.eos_ids or len(tokens) == longest:
                final = ranking_score(options, sentence, total, len(tokens))
                ended = token in options.eos_ids and length < limit
                finished.append(Hypothesis(tokens, final, total, so_far, "eos" if ended else "length"))
            else:
                continued.append(_Live(tokens, so_far, total))
        finished.sort(key=lambda hypothesis: -hypothesis.score)  # stable: among equals, the one that finished first
        live = continued

    return finished[: options.n_best]


def row(
    scores: Tensor, tokens: list[int], limit: int, options: SearchOptions, sentence: SentenceInput, kind: ScoreKind
) -> Tensor:
    """The log-probabilities [V] of the token after ``tokens``."""
    normalised = log_probs(scores, kind, options.temperature)
    barred = _barred(len(normalised), len(tokens), limit, options, sentence)
    return processors.apply(normalised, tokens, options, sentence, limit, barred=barred)


def _barred(vocab: int, length: int, limit: int, options: SearchOptions, sentence: SentenceInput) -> list[int]:
    """Masks are applied after log-softmax: what is barred keeps its share of the probability."""
    if options.eos_ids and length == limit:
        return sorted(set(range(vocab)) - set(options.eos_ids))
    least = max(options.min_length, options.min_new_tokens and len(sentence.prefix) + options.min_new_tokens)
    return list(options.eos_ids) if length < least else []


def _may_raise(options: SearchOptions) -> bool:
    """Whether an option may give a token a score above 0, so that a sum may rise."""
    return options.length_decay_factor > 1 or any(bias > 0 for _, bias in options.sequence_bias)
