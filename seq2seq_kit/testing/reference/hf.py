"""Greedy and beam search by the rules of ``semantics="hf"``: one sentence at a time, plain Python, no tricks.

They are those of ``generate`` in Hugging Face transformers since 4.50 (``GenerationMixin._beam_search`` and
``_sample``), with which ``benchmarks/parity_hf.py`` compares them.

Write p for the forced prefix and n for the tokens generated after it, EOS included; BOS is Hugging Face's decoder start
token. The prefix is given, not scored: its tokens have log-probability 0 and do not count in n. A favoured one
(``prefix_bias``, of which Hugging Face knows nothing) is no p.

- Greedy (K = 1): processors act on the scores as the step gives them; log-probabilities are the log-softmax of what
  they leave; the likeliest token is taken.
- Beams: log-softmax in float32, then the processors; the result is not normalised again. The sum of a hypothesis is
  then added.
- Of the max(2, 1 + number of EOS) * K best candidates, one ends when it is an EOS or the ``max_length``-th token
  (EOS and prefix counted, BOS not: Hugging Face's own ``max_length`` is one more, as is its ``min_length``). It is
  finished if it is among the first K, else dropped; the best K that go on are the next live ones.
- Finished hypotheses score sum / n**alpha; the K best are kept, earlier ones first among equals. A better one that
  comes later replaces the worst.
- The sentence ends with no live hypothesis; when K have finished and the best live sum, divided by l**alpha, is not
  above the worst of them; with ``stop="enough"``, as soon as K have finished. ``stop="estimate"`` (the default) and
  ``"enough"`` take l = n, ``"longest"`` the greatest n. These are ``early_stopping`` False, True and "never".

With ``sampling="beams"`` the candidates are drawn, and their ranks are those in which they are drawn: see
:func:`.sampling.draw_candidates`. With ``groups``: see :mod:`.hf_groups`.

Where we differ from Hugging Face, on purpose:

- A slot without a hypothesis is empty. There it holds a placeholder of score -1e9, in whose place other options may let
  a hypothesis go on after its EOS, or that comes back as a result of score -1e9 where fewer than n could finish.
- Scores are float64 quotients of the float32 sums. There the quotients are float32, whose ties are resolved as its
  top-k happens to.
- What is forbidden stays forbidden. There an exponential decay of length makes NaN of a forbidden EOS.
- Options of the source side read the source they are given, for all hypotheses of a sentence. There they also read its
  padding, and with beams the source's repetition penalty falls on the first B of B * K rows, whosever they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference import hf_groups, processors
from seq2seq_kit.testing.reference.common import best_candidates, length_limit, log_probs, ranking_score
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
) -> list[Hypothesis]:
    """Search one sentence.

    Args:
        score: gives the scores [V] of the next token after a prefix (BOS not included).
        kind: whether these are logits or log-probabilities.
    """
    width, prefix = options.beam_size, [] if options.prefix_bias else list(sentence.prefix)
    limit = length_limit(options, sentence)
    if options.groups > 1:

        def diverse(tokens: list[int], chosen: Counter[int]) -> Tensor:
            return row(score(tokens), tokens, limit, options, sentence, kind, chosen)

        return hf_groups.search(diverse, options, sentence)

    longest = max(limit, len(prefix) + 1)  # at least one token is generated
    live = [_Live(prefix, [0.0] * len(prefix), 0.0)]
    finished: list[Hypothesis] = []  # best first

    while live:
        length = len(live[0].tokens) + 1  # with the next token
        rows = [row(score(h.tokens), h.tokens, limit, options, sentence, kind) for h in live]  # K times [V]
        if options.sampling == "beams":  # their ranks are those in which they are drawn
            candidates = draw_candidates(
                rows, [h.total for h in live], wanted(options), len(live[0].tokens), options, sentence
            )
        else:
            candidates = best_candidates(rows, [h.total for h in live])[: wanted(options)]

        continued = []
        for rank, (total, slot, token, log_prob) in enumerate(candidates):
            tokens, so_far = [*live[slot].tokens, token], [*live[slot].log_probs, log_prob]
            if token not in options.eos_ids and length < longest:
                continued.append(_Live(tokens, so_far, total))
            elif rank < width:
                final = ranking_score(options, sentence, total, length - len(prefix))
                finished.append(
                    Hypothesis(tokens, final, total, so_far, "eos" if token in options.eos_ids else "length")
                )
        continued.sort(key=lambda hypothesis: -hypothesis.total)  # stable
        live = continued[:width]
        finished.sort(key=lambda hypothesis: -hypothesis.score)  # stable: among equals, the one that finished first
        finished = finished[:width]

        if live and len(finished) == width:
            expected = (longest if options.stop == "longest" and options.length_penalty > 0 else length) - len(prefix)
            hopeless = ranking_score(options, sentence, live[0].total, expected) <= finished[-1].score
            if hopeless or options.stop == "enough":
                break

    return finished[: options.n_best]


def wanted(options: SearchOptions) -> int:
    """How many candidates are looked at: enough for K to go on when each of K hypotheses also finds every EOS."""
    if options.beam_size == 1:
        return 1
    return max(2, 1 + len(options.eos_ids)) * options.beam_size


def row(
    scores: Tensor,
    tokens: list[int],
    limit: int,
    options: SearchOptions,
    sentence: SentenceInput,
    kind: ScoreKind,
    chosen: Counter[int] | None = None,
) -> Tensor:
    """The log-probabilities [V] of the token after ``tokens``, as they are added to the sum.

    ``chosen``: how often earlier groups have just written each token.
    """
    greedy = options.beam_size == 1 and options.sampling == "off"
    if greedy or options.sampling == "tokens":  # what processors leave of the scores is normalised
        return log_probs(_process(scores.float(), tokens, limit, options, sentence), "logits", options.temperature)
    temperature = 1.0 if options.sampling == "beams" else options.temperature  # with beams, it warps
    normalised = log_probs(scores, kind, temperature).clone()
    for token, count in (chosen or {}).items():
        normalised[token] -= options.diversity_penalty * count
    return _process(normalised, tokens, limit, options, sentence)


def _process(row: Tensor, tokens: list[int], limit: int, options: SearchOptions, sentence: SentenceInput) -> Tensor:
    least = max(options.min_length, options.min_new_tokens and len(sentence.prefix) + options.min_new_tokens)
    barred = options.eos_ids if len(tokens) < least else ()
    return processors.apply(row, tokens, options, sentence, limit, barred=barred)
