"""Cross-entropy with label smoothing (Szegedy et al. 2016; Vaswani et al. 2017, section 5.4)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Criterion, CriterionOutput, ScoreKind, TargetSpec
from seq2seq_kit.layers.kernels import kernels_serve


class CrossEntropyConfig(ComponentConfig):
    """Masked cross-entropy."""

    name: str = "cross_entropy"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """ε: the probability taken from the label and spread evenly over the other tokens."""


class CrossEntropy(Criterion):
    """Sum over real positions of the cross-entropy with smoothed labels.

    The label has probability 1 - ε and each of the other V - 1 tokens ε / (V - 1), the definition of fairseq and
    OpenNMT; with ``e = ε / (V - 1)`` the loss of a position is ``-(1 - ε - e) log p(label) - e Σ_v log p(v)``.
    (PyTorch's own ``label_smoothing`` spreads ε over all V tokens, the label included.)
    """

    def __init__(self, config: CrossEntropyConfig, target: TargetSpec) -> None:
        super().__init__()
        self.label_smoothing = config.label_smoothing

    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        real, labels = scores[mask].float(), target[mask]  # [N, V'], [N]
        log_probs = real.log_softmax(-1) if kind == "logits" else real
        nll = -log_probs.gather(1, labels.unsqueeze(1)).sum()
        loss = nll
        if self.label_smoothing:
            loss = self._smoothed(log_probs, labels)
        chosen = real.detach().gather(1, labels.unsqueeze(1)).squeeze(1)  # [N]
        correct = (chosen >= real.detach().amax(-1)).sum()
        return CriterionOutput(loss, nll.detach(), correct, labels.shape[0])

    def _smoothed(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """The sum of the smoothed loss. What is impossible (-inf: another sentence's own word) is no other token."""
        possible = log_probs > -torch.inf  # [N, V']
        others = self.label_smoothing / (possible.sum(1) - 1).clamp(min=1)  # [N]: e
        nll = -log_probs.gather(1, labels.unsqueeze(1)).squeeze(1)
        return ((1 - self.label_smoothing - others) * nll - others * log_probs.masked_fill(~possible, 0).sum(1)).sum()

    def gradient(
        self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor
    ) -> tuple[CriterionOutput, Tensor] | None:
        """softmax(scores) minus the smoothed labels; and the same sums as ``forward``, in few passes over memory."""
        if kind != "logits" or type(self).forward is not CrossEntropy.forward:
            return None
        if kernels_serve(scores):
            return self._gradient_by_kernel(scores, target, mask)
        rows, labels, real = scores.flatten(0, 1), target.flatten().unsqueeze(1), mask.flatten()  # [N, V], [N, 1], [N]
        probs = torch.softmax(rows, -1, dtype=torch.float32)
        best = rows.amax(-1)  # [N]
        chosen = rows.gather(1, labels).squeeze(1)
        norm = best.float() - probs.amax(-1).log()  # log Σ exp(scores): the greatest probability is far from zero
        nll = loss = norm - chosen.float()
        label = 1.0
        if self.label_smoothing:
            others = self._others(rows)
            label = 1 - self.label_smoothing - others
            loss = label * nll + others * (norm * rows.shape[1] - rows.sum(-1, dtype=torch.float32))
            probs.sub_(others)
        probs.scatter_add_(1, labels, probs.new_full(labels.shape, -label))  # now the gradient
        if not real.all():
            probs.masked_fill_(~real.unsqueeze(1), 0)
        sums = torch.stack([loss, nll, (chosen >= best).float()]).masked_fill(~real, 0).sum(1)  # [3, N] -> [3]
        output = CriterionOutput(sums[0], sums[1], sums[2], int(real.sum()))
        return output, probs.to(scores.dtype).view_as(scores)

    def _gradient_by_kernel(self, scores: Tensor, target: Tensor, mask: Tensor) -> tuple[CriterionOutput, Tensor]:
        """The same on a CPU, in one pass over a row."""
        from seq2seq_kit._engine import cross_entropy

        others = self._others(scores) if self.label_smoothing else 0.0
        sums, gradient = cross_entropy(
            scores.flatten(0, 1), target.flatten(), mask.flatten(), 1 - self.label_smoothing, others
        )
        loss, nll, correct = sums.float()
        return CriterionOutput(loss, nll, correct, int(mask.sum())), gradient.view_as(scores)

    def _others(self, scores: Tensor) -> float:
        """e, the probability of each token but the label."""
        return self.label_smoothing / (scores.shape[-1] - 1)
