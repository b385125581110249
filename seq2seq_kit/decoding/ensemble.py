"""Several models searched as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, StepOutput

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep

Combination = Literal["linear", "log_linear"]


@dataclass(frozen=True)
class Member:
    """One model of an ensemble: a step, its state and its weight."""

    step: Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor] | NativeStep
    state: DecoderState = field(default_factory=DecoderState)
    weight: float = 1.0
    """Not negative."""


@dataclass(frozen=True)
class Ensemble:
    """Models of any kinds that share a target vocabulary; given to :func:`~seq2seq_kit.decoding.search.search` in place
    of a step. The attention of a hypothesis is that of the first member."""

    members: Sequence[Member]
    combination: Combination = "linear"
    """``"linear"``: a mixture, log(sum of w p), the weights normalised to 1. ``"log_linear"``: sum of w log p, not
    normalised again: a product of experts, or shallow fusion of a translation model (weight 1) with a language model
    (a small weight; Gulcehre et al. 2015)."""
