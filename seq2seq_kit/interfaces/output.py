"""What a task answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from seq2seq_kit.decoding.hypothesis import Finish


@dataclass
class Output:
    """A task's answer for one example. Tasks may subclass it."""

    text: str
    score: float  # as the search options define it; -inf where the search found nothing
    tokens: list[str] = field(default_factory=list)  # as a person would read them, without EOS
    token_scores: list[float] = field(default_factory=list)  # log-probabilities in nats, EOS included
    source_tokens: list[str] = field(default_factory=list)
    attention: Tensor | None = None  # [tokens + EOS, S']
    alternatives: list[Output] = field(default_factory=list)  # the other n-best, best first
    finish: Finish = "eos"  # why it ended
    top_tokens: list[list[tuple[str, float]]] = field(default_factory=list)  # each step's likeliest, in nats
    unmet: list[int] = field(default_factory=list)  # which of the example's constraints it does not meet
    facts: dict[str, Any] = field(default_factory=dict)  # what else the task says of it, as JSON values by name
