"""Focal loss: what is predicted well already counts less (Lin et al. 2017)."""

from __future__ import annotations

from pydantic import Field
from seq2seq_kit import ComponentConfig, Criterion, CriterionOutput, TargetSpec
from torch import Tensor


class FrozenCriterionConfig(ComponentConfig):
    """The options of :class:`FrozenCriterion`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    gamma: float = Field(default=2.0, ge=0)
    """How much less; 0 is cross-entropy."""


class FrozenCriterion(Criterion):
    """The sum over labels of -(1 - p)^gamma log p (see ``Criterion`` for the contract)."""

    def __init__(self, config: FrozenCriterionConfig, target: TargetSpec) -> None:
        super().__init__()
        self.gamma = config.gamma

    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        """Sums over the positions that ``mask`` [B, T] counts, each of its own ``scores`` [B, T, V] and label alone."""
        real, labels = scores[mask].float(), target[mask]  # [N, V], [N]
        log_probs = real.log_softmax(-1) if kind == "logits" else real
        of_labels = log_probs.gather(1, labels.unsqueeze(1)).squeeze(1)  # [N]
        loss = -((1 - of_labels.exp()) ** self.gamma * of_labels).sum()
        correct = (log_probs.argmax(-1) == labels).sum()
        return CriterionOutput(loss, -of_labels.detach().sum(), correct, len(labels))
