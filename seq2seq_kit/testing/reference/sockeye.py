"""Beam search by the rules of Sockeye's ``BeamSearch``.

With K = ``beam_size`` and n a hypothesis' number of tokens, EOS included:

- The beam has K places, which live and finished hypotheses share. A finished one stays in the beam with its final score
  (Sockeye lets it write padding at no cost), a live one counts with its sum, and each step keeps the best K of the
  finished ones and of the continuations. A finished one that does not make it is lost.
- The score is Σ / ((β + n) / (β + 1))**α + w · min(0, 1 - expected / n): ``length_penalty`` α and
  ``length_penalty_offset`` β, the brevity penalty w, and as expected length ``brevity_ratio`` times the source length
  (Sockeye's constant length ratio; it can also predict one).
- A sentence ends when all places are finished (``stop="all"``, the default) or when one is (``"first"``).
- After ``max_length`` tokens only EOS may come: Sockeye's own maximum counts EOS and is greater by one.

Ties go to the finished, the earlier first; then as always to the lower slot and the lower token. The comparison is made
in float64, as final scores are (Sockeye's are float32).

Where Sockeye differs and we do not follow: it stops the batch, not the sentence, at ``"first"``, and then returns live
hypotheses among the finished ones, ranked by their plain sums. Here a sentence stops alone, and only what has finished
is returned. ``min_length``, which Sockeye has not, works as with the other semantics.
"""

from __future__ import annotations

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import length_limit
from seq2seq_kit.testing.reference.slots import PLAIN, START, Candidate, Live, Score, best_first, candidates, next_rows


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
    while live and not (options.stop == "first" and finished):
        rows = next_rows(score, live, options, sentence, kind, eos_at_limit=True)
        length = len(live[0].tokens) + 1  # of the continuations
        rivals: list[tuple[float, Hypothesis | Candidate]] = [(each.score, each) for each in finished]
        rivals += [(each.total, each) for each in candidates(live, rows)]
        rivals.sort(key=lambda rival: -rival[0])  # stable: among equals, the finished, then slots and tokens

        kept: list[Hypothesis] = []
        ended: list[Hypothesis] = []
        continued: list[Live] = []
        for _, rival in rivals[: options.beam_size]:
            if isinstance(rival, Hypothesis):
                kept.append(rival)
            elif rival.token in options.eos_ids or (not options.eos_ids and length == limit):
                ended.append(
                    rival.finish(live, options, sentence, attention, forced=not options.eos_ids or length > limit)
                )
            else:
                continued.append(rival.extend(live))
        finished = best_first(kept + ended)
        live = continued
    return finished[: options.n_best]
