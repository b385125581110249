"""Beam search by the rules of Marian's ``BeamSearch``.

With K = ``beam_size`` and n a hypothesis' number of tokens, EOS included:

- The best K continuations are taken at the first step (the first after a forced prefix), later as many as there are
  live hypotheses: every one that finishes takes its slot away. All finished ones are kept.
- The score is (Σ - wp · n) / n**α, with Marian's ``word-penalty`` wp and ``normalize`` α, 0 by default.
- A sentence ends when no slot is left, or at the limit. ``max_length`` counts EOS: what has that many tokens is
  finished as it is, without EOS. Marian's ``max-length-factor`` is ``max_length_ratio`` with ``max_length_margin=0``,
  of the sentence's own length. (Marian takes the width of the padded batch and stops the whole batch at once; where the
  product is no whole number, it writes one token more.)
- Marian never writes the unknown word unless told to (``allow-unk``): ``unk_penalty=math.inf``.

Marian computes the score in float32; here it is float64. ``min_length`` and forced prefixes, which Marian has not, work
as with the other semantics.
"""

from __future__ import annotations

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import length_limit
from seq2seq_kit.testing.reference.slots import PLAIN, START, Live, Score, best_first, candidates, given, next_rows


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
    while live:
        rows = next_rows(score, live, options, sentence, kind, eos_at_limit=False)
        length = len(live[0].tokens) + 1  # of the continuations
        wanted = options.beam_size if length <= given(options, sentence) + 1 else len(live)
        continued: list[Live] = []
        for candidate in candidates(live, rows)[:wanted]:
            is_eos = candidate.token in options.eos_ids
            if is_eos or length == limit:
                finished.append(candidate.finish(live, options, sentence, attention, forced=not is_eos))
            else:
                continued.append(candidate.extend(live))
        live = continued
    return best_first(finished)[: options.n_best]
