"""Beam search by the rules of the ``BeamSearch`` of OpenNMT-py 3 (and of Eole, its successor).

With K = ``beam_size`` and n a hypothesis' number of tokens, EOS included:

- The best K continuations are taken. Those that end are finished, all of them; the others are the next live hypotheses,
  from which K are taken again: finished ones take no slot away.
- The score is Σ / lp(n + 1), because OpenNMT-py's length counts BOS: ``length_penalty avg`` is n + 1 (α = 1, β = 0),
  ``wu`` is ((5 + n + 1) / 6)**α (β = 5), ``none`` is α = 0.
- A sentence ends at the first step whose best candidate ends and after which ``n_best`` have finished. (In OpenNMT-py
  2 the best candidate may have ended at a step before.) So ``n_best`` changes the search, and may change the first
  hypothesis.
- ``max_length`` counts EOS: what has that many tokens is finished as it is, without EOS. ``max_length_ratio`` and
  ``max_length_margin`` (OpenNMT-py's is 5) limit it by the sentence's own length, where OpenNMT-py takes the batch's
  greatest. ``min_length`` does not count EOS.

Where OpenNMT-py differs and we do not follow: it goes on with finished hypotheses at a sum of -65504, and with blocked
tokens at -1e20, so that where nothing else is left it returns some of them. It counts BOS among the tokens of an
n-gram. Here they are impossible, and a sentence with no way on ends with what has finished. Its float32 sums are also
divided and multiplied by lp at every step, which changes last bits; here they are only added up. Of its coverage
penalties, "summary", of its stop rules, ``ratio``, and the stepwise penalty have no counterpart.
"""

from __future__ import annotations

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import length_limit
from seq2seq_kit.testing.reference.slots import PLAIN, START, Live, Score, best_first, candidates, next_rows


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
    live = [START]
    finished: list[Hypothesis] = []
    best_ends = False
    while live and not (best_ends and len(finished) >= options.n_best):
        rows = next_rows(score, live, options, sentence, kind, eos_at_limit=False)
        length = len(live[0].tokens) + 1  # of the continuations
        best = candidates(live, rows)[: options.beam_size]
        best_ends = bool(best) and best[0].token in options.eos_ids
        continued: list[Live] = []
        for candidate in best:
            is_eos = candidate.token in options.eos_ids
            if is_eos or length == limit:
                ended = candidate.finish(live, options, sentence, attention, forced=not is_eos, uncounted=1)  # BOS
                finished.append(ended)
            else:
                continued.append(candidate.extend(live))
        live = continued
    return best_first(finished)[: options.n_best]
