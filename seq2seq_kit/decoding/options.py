"""Search options: the same frozen struct as ``csrc/include/seq2seq_kit/search_options.h`` (a test holds them equal).

Torch-free, so that the command line can show its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Semantics = Literal["kit"]
Numerics = Literal["reference", "fast"]


@dataclass(frozen=True)
class SearchOptions:
    """How to search. Validated when a search starts; errors name the field, the value and the allowed range.

    The rules of ``semantics="kit"``, for one sentence (n generated tokens, EOS included; s their log-probability sum):

    - A beam has K slots. Each step takes the best k = K - (finished so far) candidates of all live hypotheses, by s;
      ties go to the lower slot, then to the lower token id. Those that end are set aside, each with its slot.
    - A finished hypothesis scores s / n**length_penalty. At ``max_length`` tokens only EOS is allowed, and its
      log-probability counts, so every returned hypothesis is complete and scores compare.
    - The search stops when no slot is left, or when no live hypothesis can still enter the ``n_best`` best: an exact
      bound, because log-probabilities only fall. What is returned first does not depend on ``n_best``.
    - ``beam_size=1`` is therefore greedy search.
    - Candidates of -inf are never taken, so a sentence may end with fewer hypotheses than ``n_best``, or none. Among
      finished hypotheses of equal score the one that finished first is the better one.
    - s is added up in float32, token by token; the score is that float32 sum divided in float64.
    """

    beam_size: int = 5
    """K, the number of hypotheses kept for a sentence; 1 is greedy search. At least 1."""
    n_best: int = 1
    """How many finished hypotheses to return for a sentence, best first. 1 to ``beam_size``."""
    length_penalty: float = 1.0
    """The exponent of s / n**length_penalty (Wu et al. 2016 without the offset): 0 compares sums, 1 means. >= 0."""
    min_length: int = 0
    """Tokens before EOS is allowed, EOS not counted; what is masked keeps its share of the probability. 0 to
    ``max_length``; a sentence's own lower limit (``max_length_ratio``) wins."""
    max_length: int = 256
    """Tokens after which only EOS is allowed, EOS not counted. At least 1."""
    max_length_ratio: float = 0.0
    """When above 0, also limits a sentence to ``floor(ratio * source length) + max_length_margin`` tokens,
    at least 1. Not negative."""
    max_length_margin: int = 10
    """See ``max_length_ratio``. At least 0."""
    bos_id: int = 1
    """The token fed at the first step. At least 0; it need not be among the tokens that are scored."""
    eos_ids: tuple[int, ...] = (2,)
    """Tokens that end a hypothesis; empty: hypotheses end at ``max_length`` without an end symbol."""
    semantics: Semantics = "kit"
    """Whose rules apply."""
    numerics: Numerics = "fast"
    """``"reference"``: log-softmax by ATen in float32, then float32 additions; the same bits as the slow Python search
    in :mod:`seq2seq_kit.testing.reference_search`. ``"fast"``: one fused kernel on the CPU, equal but for last bits. On
    other devices, and where scores are log-probabilities already, the two are the same."""
    attention: bool = False
    """Return the attention along each hypothesis, where the decoder gives any."""
