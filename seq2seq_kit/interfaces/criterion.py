"""The contract of criteria, which training minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from seq2seq_kit.interfaces.batch import Batch
from seq2seq_kit.interfaces.task import Task
from seq2seq_kit.interfaces.types import ScoreKind

if TYPE_CHECKING:
    from seq2seq_kit.model import Model


@dataclass
class CriterionOutput:
    """Sums over real target positions, so that they add up over batches; divide by ``tokens`` for a mean."""

    loss: Tensor  # scalar, differentiable: what training minimises
    nll: Tensor  # scalar, detached: negative log-likelihood in nats, whatever the loss is
    correct: Tensor  # scalar, detached: positions where no token is scored better than the label
    tokens: int

    def __add__(self, other: CriterionOutput) -> CriterionOutput:
        return CriterionOutput(
            self.loss + other.loss, self.nll + other.nll, self.correct + other.correct, self.tokens + other.tokens
        )


class Criterion(nn.Module, ABC):
    """What training minimises. Built as ``cls(config, target: TargetSpec)``; may have parameters, which are trained.

    A criterion that scores each position apart has a ``forward`` and no more. One that needs something else (two
    passes, attention, samples, another model) overrides ``objective``.
    """

    def attach(self, task: Task) -> None:
        """Called once before training with the run's task, whose vocabularies and texts some criteria need."""

    @abstractmethod
    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        """``scores`` [B, T, V'] of ``kind``, labels ``target`` [B, T], ``mask`` [B, T] (True = counted).

        Called with a chunk of a batch's positions at a time, in any arrangement: the loss of a position may depend on
        its own scores and label alone.
        """

    def gradient(
        self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor
    ) -> tuple[CriterionOutput, Tensor] | None:
        """The result of ``forward``, and the gradient [B, T, V'] of its loss with regard to ``scores`` (which are
        detached), where that can be had for less than by differentiation; None: it cannot."""
        return None

    def objective(self, model: Model, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        """The sums over a batch with a target: by default of ``forward`` over a teacher-forced pass, a chunk at a time,
        and of the decoder's own losses.

        Args:
            model: in training or in eval mode, as this criterion.
            forcing: the probability that the decoder is fed the label and not its own output.
        """
        from seq2seq_kit.criteria.chunks import criterion_in_chunks
        from seq2seq_kit.criteria.forced import teacher_force

        return criterion_in_chunks(self, teacher_force(model, batch, forcing), batch)
