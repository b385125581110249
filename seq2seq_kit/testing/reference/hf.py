"""Greedy and beam search by the rules of ``semantics="hf"``: one sentence at a time, plain Python, no tricks.

They are those of ``generate`` in Hugging Face transformers since 4.50 (``GenerationMixin._beam_search`` and
``_sample``), with which ``benchmarks/parity_hf.py`` compares them.

Write p for the forced prefix and n for the tokens generated after it, EOS included; BOS is Hugging Face's decoder start
token. The prefix is given, not scored: its tokens have log-probability 0 and do not count in n.

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

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference import processors
from seq2seq_kit.testing.reference.common import length_limit, log_probs, ranking_score


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
    width, prefix = options.beam_size, list(sentence.prefix)
    limit = length_limit(options, sentence)
    longest = max(limit, len(prefix) + 1)  # at least one token is generated
    live = [_Live(prefix, [0.0] * len(prefix), 0.0)]
    finished: list[Hypothesis] = []  # best first

    while live:
        length = len(live[0].tokens) + 1  # with the next token
        candidates = []
        for slot, hypothesis in enumerate(live):
            row = _row(score(hypothesis.tokens), hypothesis.tokens, limit, options, sentence, kind)  # [V]
            totals = torch.tensor(hypothesis.total) + row  # float32
            for token, (total, log_prob) in enumerate(zip(totals.tolist(), row.tolist(), strict=True)):
                if total > -math.inf:
                    candidates.append((-total, slot, token, log_prob))
        candidates.sort()  # higher total first, then lower slot, then lower token id

        continued = []
        for rank, (negative_total, slot, token, log_prob) in enumerate(candidates[: wanted(options)]):
            tokens, so_far = [*live[slot].tokens, token], [*live[slot].log_probs, log_prob]
            total = -negative_total
            if token not in options.eos_ids and length < longest:
                continued.append(_Live(tokens, so_far, total))
            elif rank < width:
                final = ranking_score(options, sentence, total, length - len(prefix))
                finished.append(
                    Hypothesis(tokens, final, total, so_far, "eos" if token in options.eos_ids else "length")
                )
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


def _row(
    scores: Tensor, tokens: list[int], limit: int, options: SearchOptions, sentence: SentenceInput, kind: ScoreKind
) -> Tensor:
    """The log-probabilities [V] of the next token as they are added to the sum."""
    if options.beam_size == 1:  # what processors leave of the scores is normalised
        return log_probs(_process(scores.float(), tokens, limit, options, sentence), "logits", options.temperature)
    return _process(log_probs(scores, kind, options.temperature), tokens, limit, options, sentence)


def _process(row: Tensor, tokens: list[int], limit: int, options: SearchOptions, sentence: SentenceInput) -> Tensor:
    too_short = len(tokens) < max(options.min_length, len(sentence.prefix) + options.min_new_tokens)
    barred = options.eos_ids if too_short else ()
    return processors.apply(row, tokens, options, sentence, limit, barred=barred)
