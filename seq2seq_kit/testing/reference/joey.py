"""Beam search by the rules of JoeyNMT's ``beam_search`` (2.x).

With K = ``beam_size`` and n a hypothesis' number of tokens, EOS included:

- The best K continuations are the next beam, those that end with EOS among them: JoeyNMT writes on after an EOS, and
  what comes of it takes places in the beam, but is never returned. A hypothesis is finished when it writes its first
  EOS, or when it has reached the limit without any.
- The score is Σ / ((5 + n) / 6)**α (``length_penalty_offset=5``), with JoeyNMT's ``beam_alpha`` α; its -1 (none) is 0
  here. Since it is the same for all candidates of a step, it does not change which are kept.
- A place of the beam (not a hypothesis) is done once a candidate that ends has stood there, or, after a forced prefix,
  none could. A sentence ends when all K places are done, or at the limit.
- ``max_length`` counts EOS: what has that many tokens is finished as it is. JoeyNMT's own limit is 1.5 times the
  batch's longest source (``max_length_ratio=1.5, max_length_margin=0``, of the sentence's own length).
  ``min_length`` does not count EOS.

That places rather than hypotheses are marked as done, and that finished ones go on, is surely not meant, but it decides
when JoeyNMT stops: we follow it. We do not where JoeyNMT counts the tokens of a forced prefix as certain (here each has
its own log-probability), where its float32 sums are divided and multiplied at every step, and in that it fills up a
list of fewer than ``n_best`` with unknown words.
"""

from __future__ import annotations

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import length_limit
from seq2seq_kit.testing.reference.slots import PLAIN, START, Score, best_first, candidates, given, next_rows


def search(
    score: Score,
    options: SearchOptions,
    sentence: SentenceInput = PLAIN,
    *,
    kind: ScoreKind = "logits",
    attention: Score | None = None,
) -> list[Hypothesis]:
    """Search one sentence; see :func:`seq2seq_kit.testing.reference_search.reference_search`.

    Args:
        attention: gives the attention [S'] of the step that scores the token after a prefix, for ``coverage_penalty``.
    """
    limit = length_limit(options, sentence)
    eos = set(options.eos_ids)
    live = [START]
    finished: list[Hypothesis] = []
    done = [False] * options.beam_size  # places
    while live and not all(done):
        rows = next_rows(score, live, options, sentence, kind, eos_at_limit=False)
        length = len(live[0].tokens) + 1  # of the continuations
        best = candidates(live, rows)[: options.beam_size]
        for place in range(options.beam_size):
            empty = place >= len(best)
            if length == limit or (length > given(options, sentence) if empty else best[place].token in eos):
                done[place] = True
        for candidate in best:
            is_eos = candidate.token in eos
            if (is_eos or length == limit) and not eos & set(live[candidate.slot].tokens):
                finished.append(candidate.finish(live, options, sentence, attention, forced=not is_eos))
        live = [candidate.extend(live) for candidate in best]
    return best_first(finished)[: options.n_best]
