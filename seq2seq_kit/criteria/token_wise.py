"""What criteria share that are made of a token-wise one and something more."""

from __future__ import annotations

from torch import Tensor

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Criterion, CriterionOutput, ScoreKind, TargetSpec
from seq2seq_kit.registry import build


class WithBase(Criterion):
    """A criterion whose loss against the labels is that of another, ``base``, which scores each position apart.

    Raises:
        ConfigError: it does not.
    """

    base: Criterion

    def __init__(self, owner: str, base: ComponentConfig, target: TargetSpec) -> None:
        super().__init__()
        self.base = build("criterion", base, target)
        if type(self.base).objective is not Criterion.objective:
            raise ConfigError(
                f"criterion {owner}: base must score each position apart, as cross_entropy does; {base.name} does not"
            )

    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        """``base``: the loss against the labels."""
        output: CriterionOutput = self.base(scores, kind, target, mask)
        return output

    def gradient(
        self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor
    ) -> tuple[CriterionOutput, Tensor] | None:
        return self.base.gradient(scores, kind, target, mask)


def log_probabilities(scores: Tensor, kind: ScoreKind, temperature: float = 1.0) -> Tensor:
    """Of scores [..., V'] divided by a temperature; float32, none below -100, so that p log p is a number for p = 0."""
    scores = scores.float()
    if kind == "logits" or temperature != 1:
        scores = (scores / temperature).log_softmax(-1)
    return scores.clamp(min=-100)
