"""Beam search by the rules of fairseq's ``SequenceGenerator``.

With K = ``beam_size`` and n a hypothesis' number of tokens, EOS included:

- The best 2K continuations are looked at. Those among the first K that end with EOS are finished, in the order of their
  sums, as long as fewer than K have finished; an EOS from rank K + 1 on is dropped. The first K that do not end are the
  next live hypotheses.
- The score is Σ / n**α (fairseq's ``lenpen`` α; ``unnormalized`` is α = 0). Finished ones are never replaced.
- A sentence ends when K have finished, or when the limit has been reached. After ``max_length`` tokens only EOS may
  come, with its own log-probability: ``max_length`` is fairseq's ``max_len``, EOS not counted. So is ``min_length`` its
  ``min_len``, which a forced prefix overrides. ``max_len_a`` and ``max_len_b`` are ``max_length_ratio`` and
  ``max_length_margin``, of the sentence's own length (fairseq takes the width of the padded batch).
- Of a forced prefix each token counts with its own log-probability.
- ``sibling_penalty`` is ``diversity_rate`` of the diverse siblings search (Li et al. 2016): from the second step on,
  among the 2K best continuations of each live hypothesis, the one of rank r = 1, 2, … loses r · rate, which stays in
  the sum; then the best 2K of all are taken. In float32: log_prob - float32(r) · float32(rate), then sum + that.

Where fairseq errs, we do not follow:

- It remembers slots without a hypothesis by their place in one step and applies them to the ranks of the next, where
  they hide good candidates (``cands_to_ignore``). Here an empty slot hides nothing.
- Its n-gram blocking (0.12, on the CPU) compares with the padding at the end of its buffer instead of the last tokens,
  and so hardly blocks anything; it counts BOS as a token. Here n-grams of generated tokens are blocked.
- An EOS inside the prefix makes it return K copies of one hypothesis. Here it is returned once.
- It never looks at the worst candidate of a small vocabulary, which it takes for padding, and lowers K below the
  vocabulary's size. Here padding is a token like others: suppress it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

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
    width = options.beam_size
    live = [START]
    finished: list[Hypothesis] = []
    while live and len(finished) < width:
        rows = next_rows(score, live, options, sentence, kind, eos_at_limit=True)
        length = len(live[0].tokens) + 1  # of the continuations
        if options.sibling_penalty and length > 1:
            best = _among_siblings(live, rows, 2 * width, options.sibling_penalty)
        else:
            best = candidates(live, rows)[: 2 * width]

        def ends(candidate: Candidate, length: int = length) -> bool:
            return candidate.token in options.eos_ids if options.eos_ids else length == limit

        for candidate in filter(ends, best[:width]):
            if len(finished) < width:
                finished.append(
                    candidate.finish(live, options, sentence, attention, forced=not options.eos_ids or length > limit)
                )
        live = [candidate.extend(live) for candidate in best if not ends(candidate)][:width]
    return best_first(finished)[: options.n_best]


def _among_siblings(live: Sequence[Live], rows: Sequence[Tensor], wanted: int, rate: float) -> list[Candidate]:
    """The best ``wanted``, after each lost ``rate`` times its rank among the best of its parent."""
    every = candidates(live, rows)
    penalised = []
    for slot, parent in enumerate(live):
        siblings = [candidate for candidate in every if candidate.slot == slot][:wanted]
        for rank, candidate in enumerate(siblings, 1):
            log_prob = torch.tensor(candidate.log_prob) - torch.tensor(float(rank)) * torch.tensor(rate)
            total = torch.tensor(parent.total) + log_prob
            penalised.append(Candidate(total.item(), slot, candidate.token, log_prob.item()))
    return sorted(penalised, key=Candidate.order)[:wanted]
