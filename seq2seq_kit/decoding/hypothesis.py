"""What a search returns. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """A finished output of a search."""

    tokens: list[int]
    """The generated tokens, EOS included when the hypothesis ended with one; BOS is not."""
    score: float
    """What hypotheses are ranked by: ``log_prob / len(tokens) ** length_penalty``, higher is better."""
    log_prob: float
    """The sum of ``token_log_probs`` in nats, added up in float32 from the first to the last."""
    token_log_probs: list[float]
    """The log-probability of each token given those before it, in nats."""
    attention: Tensor | None = field(default=None, compare=False, repr=False)
    """``[len(tokens), S']``: where each token looked in the memory; None unless asked for and given by the decoder."""
