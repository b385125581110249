"""The search written to be read: one sentence at a time, plain Python, no tricks.

It is the oracle of the C++ engine, which with ``numerics="reference"`` gives the same tokens, order and scores, bit for
bit. It shares no code with it. PyTorch does the arithmetic alone: a log-softmax and additions in float32. Each
semantics is a file of :mod:`seq2seq_kit.testing.reference`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind


def reference_search(
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    sentence: SentenceInput = SentenceInput(),
    *,
    kind: ScoreKind = "logits",
) -> list[Hypothesis]:
    """Search one sentence by the rules of ``options.semantics``.

    Args:
        score: gives the scores [V'] of the next token after a prefix (BOS not included).
        options: see :class:`SearchOptions`; ``numerics`` does not matter here.
        sentence: what else is known of the sentence.
        kind: whether the scores are logits or log-probabilities.
    """
    method: str = options.semantics
    if options.sampling == "tokens":
        method = "samples"
    elif sentence.constraints:
        method = "constraints"
    elif method == "kit" and (options.groups > 1 or options.sibling_penalty or options.alternatives):
        method = "groups"
    search = importlib.import_module(f"seq2seq_kit.testing.reference.{method}").search
    found: list[Hypothesis] = search(score, options, sentence, kind=kind)
    return found
