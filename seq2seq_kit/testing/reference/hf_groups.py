"""Diverse beam search (Vijayakumar et al. 2018) by the rules of ``semantics="hf"``: plain Python, no tricks.

They are those of ``GenerationMixin._group_beam_search`` in Hugging Face transformers 4.55, the last to have it.

The K slots are ``groups`` groups of G, each a beam search of its own but for one thing: at each step, in the order of
the groups, a token's log-probability first loses ``diversity_penalty`` for each live hypothesis of an earlier group
that has just got it; then come the processors. What differs from the search without groups (see :mod:`.hf`, whose words
and lengths are used here):

- Of max(2, 1 + number of EOS) * G candidates, the first G that are no EOS go on; an EOS counts among the first G.
- A group ends when G of its hypotheses have finished and the best candidate's sum, EOS or not, divided by l**alpha, is
  not above the worst of them (``stop="enough"``: at once).
- At the limit nothing is made to end: the live hypotheses of the groups that have not ended are finished as they are.
- The finished hypotheses of all groups are ranked together.

Where we differ from Hugging Face: there a group that has ended goes on choosing padding, for which later groups pay; a
sequence's bias is added before the diversity penalty is subtracted, not after; and of several end symbols the first is
written in place of whichever one was found.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.testing.reference.common import best_candidates, length_limit, ranking_score

Row = Callable[[list[int], Counter[int]], Tensor]
"""The processed log-probabilities [V] of the next token, given how often earlier groups have just chosen each."""


@dataclass
class _Live:
    tokens: list[int]
    log_probs: list[float]
    total: float


@dataclass
class _Group:
    live: list[_Live]
    finished: list[Hypothesis] = field(default_factory=list)  # best first
    done: bool = False

    def finish(self, hypothesis: Hypothesis, size: int) -> None:
        self.finished.append(hypothesis)
        self.finished.sort(key=lambda finished: -finished.score)  # stable: among equals, the one that finished first
        del self.finished[size:]


def search(row: Row, options: SearchOptions, sentence: SentenceInput) -> list[Hypothesis]:
    """Search one sentence."""
    prefix = [] if options.prefix_bias else list(sentence.prefix)
    longest = max(length_limit(options, sentence), len(prefix) + 1)
    groups = [_Group([_Live(prefix, [0.0] * len(prefix), 0.0)]) for _ in range(options.groups)]

    for length in range(len(prefix) + 1, longest + 1):  # with the next token
        chosen: Counter[int] = Counter()
        for group in groups:
            if not group.done:
                _advance(group, row, chosen, length, longest, options, sentence)
                chosen.update(hypothesis.tokens[-1] for hypothesis in group.live)
        if all(group.done for group in groups):
            break

    for group in groups:
        for hypothesis in [] if group.done else group.live:
            score = ranking_score(options, sentence, hypothesis.total, longest - len(prefix))
            found = Hypothesis(hypothesis.tokens, score, hypothesis.total, hypothesis.log_probs, "length")
            group.finish(found, options.beam_size // options.groups)
    together = [hypothesis for group in groups for hypothesis in group.finished]
    together.sort(key=lambda hypothesis: -hypothesis.score)
    return together[: options.n_best]


def _advance(
    group: _Group,
    row: Row,
    chosen: Counter[int],
    length: int,
    longest: int,
    options: SearchOptions,
    sentence: SentenceInput,
) -> None:
    """One step of one group."""
    size, prompt = options.beam_size // options.groups, 0 if options.prefix_bias else len(sentence.prefix)
    live = group.live
    rows = [row(hypothesis.tokens, chosen) for hypothesis in live]  # G times [V]
    candidates = best_candidates(rows, [hypothesis.total for hypothesis in live])
    candidates = candidates[: max(2, 1 + len(options.eos_ids)) * size]

    group.live = []
    for rank, (total, slot, token, log_prob) in enumerate(candidates):
        tokens, so_far = [*live[slot].tokens, token], [*live[slot].log_probs, log_prob]
        if token not in options.eos_ids:
            group.live.append(_Live(tokens, so_far, total))
        elif rank < size:
            score = ranking_score(options, sentence, total, length - prompt)
            group.finish(Hypothesis(tokens, score, total, so_far, "eos"), size)
    del group.live[size:]

    expected = (longest if options.stop == "longest" and options.length_penalty > 0 else length) - prompt
    if len(group.finished) == size:
        best = ranking_score(options, sentence, candidates[0][0], expected) if candidates else -math.inf
        group.done = options.stop == "enough" or group.finished[-1].score >= best
    group.done = group.done or not group.live
