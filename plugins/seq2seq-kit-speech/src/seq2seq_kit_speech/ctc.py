"""Connectionist temporal classification (Graves et al. 2006) beside attention (Watanabe et al. 2017, "Hybrid
CTC/attention architecture for end-to-end speech recognition")."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from pydantic import Field

from seq2seq_kit import (
    Batch,
    ComponentConfig,
    ConfigError,
    CriterionOutput,
    TargetSpec,
    WithBase,
    component_field,
    criterion_in_chunks,
    teacher_force,
)
from seq2seq_kit_speech.encoder import CTC


class JointCTCConfig(ComponentConfig):
    """CTC beside another criterion, for an encoder with ``ctc: true``."""

    name: str = "ctc"
    weight: float = Field(default=0.3, ge=0, le=1)
    """λ, the share of CTC in the loss."""
    base: component_field("criterion") = {"name": "cross_entropy"}  # type: ignore[valid-type]
    """The loss of the decoder against the labels."""


class JointCTC(WithBase):
    """(1 - λ) base - λ Σ log p_ctc(target | states) (section II-C, equation 13).

    A target that is too long for its states, which CTC cannot write, has no part in the second sum.

    Raises:
        ConfigError: in training, the encoder makes no CTC scores.
    """

    def __init__(self, config: JointCTCConfig, target: TargetSpec) -> None:
        super().__init__(config.name, config.base, target)
        self.config = config
        self._blank = target.pad_id

    def objective(self, model: Any, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        forced = teacher_force(model, batch, forcing)
        memory = forced.memory
        if memory is None or CTC not in memory.extras:
            raise ConfigError(
                "criterion ctc: the encoder of this run makes no CTC scores: use the encoder 'speech' with ctc: true"
            )
        assert batch.target is not None and batch.target_mask is not None
        output = criterion_in_chunks(self, forced, batch)
        loss = F.ctc_loss(
            memory.extras[CTC].transpose(0, 1),  # [S', B, V]
            batch.target,
            memory.mask.sum(1),
            batch.target_mask.sum(1) - 1,  # without EOS
            blank=self._blank,
            reduction="sum",
            zero_infinity=True,
        )
        output.loss = (1 - self.config.weight) * output.loss + self.config.weight * loss
        return output
