"""What a search returns. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Finish = Literal["eos", "length", "stopped", "deadline"]


@dataclass(frozen=True)
class Hypothesis:
    """A finished output of a search."""

    tokens: list[int]
    """The generated tokens, EOS included when the hypothesis ended with one; BOS is not."""
    score: float
    """What hypotheses are ranked by, higher is better: by default ``log_prob / len(tokens) ** length_penalty``."""
    log_prob: float
    """The sum of ``token_log_probs`` in nats, added up in float32 from the first to the last."""
    token_log_probs: list[float]
    """The log-probability of each token given those before it, in nats."""
    finish: Finish = "eos"
    """Why it ended: it wrote an end symbol; it reached the length limit; the caller's stop criterion said so; or the
    deadline passed, and it had not ended."""
    top_tokens: list[list[tuple[int, float]]] = field(default_factory=list)
    """For each token the likeliest ones of its step after this hypothesis' own past, likeliest first, with their
    log-probabilities in nats; empty unless ``SearchOptions.top_tokens`` asks for them."""
    unmet: list[int] = field(default_factory=list)
    """The sentence's constraints that it does not meet, as indices into :attr:`SentenceInput.constraints`."""
    attention: Tensor | None = field(default=None, compare=False, repr=False)
    """``[len(tokens), S']``: where each token looked in the memory; None unless asked for and given by the decoder."""
