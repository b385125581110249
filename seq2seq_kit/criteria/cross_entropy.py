"""Cross-entropy with label smoothing (Szegedy et al. 2016; Vaswani et al. 2017, section 5.4)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.interfaces import Criterion, CriterionOutput, ScoreKind, TargetSpec


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
            others = self.label_smoothing / (log_probs.shape[1] - 1)
            loss = (1 - self.label_smoothing - others) * nll - others * log_probs.sum()
        correct = (real.argmax(-1) == labels).sum()
        return CriterionOutput(loss, nll.detach(), correct, labels.shape[0])
