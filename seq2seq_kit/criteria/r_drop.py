"""R-Drop (Liang et al. 2021): two passes with different dropout, and the distance between what they say."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from seq2seq_kit.config import ComponentConfig, component_field
from seq2seq_kit.criteria.chunks import loss_in_chunks
from seq2seq_kit.criteria.forced import teacher_force
from seq2seq_kit.criteria.token_wise import WithBase, log_probabilities
from seq2seq_kit.interfaces import Batch, CriterionOutput, TargetSpec
from seq2seq_kit.model import Model


class RDropConfig(ComponentConfig):
    """Regularised dropout."""

    name: str = "r_drop"
    alpha: float = Field(default=5.0, ge=0)
    """α, the weight of the distance; the paper has 5 for translation."""
    base: component_field("criterion") = {"name": "cross_entropy"}  # type: ignore[valid-type]
    """The loss of each pass."""


class RDrop(WithBase):
    """(base(P) + base(Q)) / 2 + α/4 (KL(P‖Q) + KL(Q‖P)) for two passes P and Q over a batch in training mode.

    This is half of the paper's loss (section 2.2), so that a token counts as much as with ``base`` alone. Both passes
    are fed the same tokens. In eval mode, where they would be equal, it is ``base`` of one.
    """

    def __init__(self, config: RDropConfig, target: TargetSpec) -> None:
        super().__init__(config.name, config.base, target)
        self.alpha = config.alpha

    def objective(self, model: Model, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        if not model.training:
            return super().objective(model, batch, forcing)
        assert batch.target is not None and batch.target_mask is not None
        first = teacher_force(model, batch, forcing)
        second = teacher_force(model, batch, prefix=first.prefix)
        kind = model.decoder.score_kind

        def loss(scores: list[Tensor], target: Tensor, mask: Tensor) -> CriterionOutput:
            one, other = (self.base(x, kind, target, mask) for x in scores)
            p, q = (log_probabilities(x[mask], kind) for x in scores)  # [N, V']
            distance = ((p.exp() - q.exp()) * (p - q)).sum()  # KL(P‖Q) + KL(Q‖P)
            return CriterionOutput(
                (one.loss + other.loss) / 2 + self.alpha / 4 * distance,
                (one.nll + other.nll) / 2,
                one.correct,
                one.tokens,
            )

        output = loss_in_chunks(loss, [first, second], batch.target, batch.target_mask, list(self.parameters()))
        own = [x for one in (first, second) for x in one.decoded.losses.values()]
        output.loss = sum((x / 2 for x in own), output.loss)
        return output
