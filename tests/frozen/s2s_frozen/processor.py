"""Nothing is written twice in a row."""

from __future__ import annotations

import torch
from pydantic import Field
from seq2seq_kit import ComponentConfig, DecoderState, Processor, ProcessorOutput, TargetSpec
from torch import Tensor


class FrozenProcessorConfig(ComponentConfig):
    """The options of :class:`FrozenProcessor`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    penalty: float = Field(default=2.0, ge=0)
    """What is taken, in nats, from the score of the token that was written last."""


class FrozenProcessor(Processor):
    """Makes the last token less likely to follow itself (see ``Processor`` for the contract).

    The answer is sparse: three tensors that say in which row what is added to which token. It keeps no state; what
    follows a hypothesis would be in ``rows`` of what ``init`` returns, and the engine would reorder it.
    """

    needs_scores = False

    def __init__(self, config: FrozenProcessorConfig, target: TargetSpec) -> None:
        self.penalty = config.penalty

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput:
        """``tokens`` [B, K, 1 + t]: what each hypothesis has written, BOS first."""
        last = tokens[:, :, -1].flatten()  # [B * K]
        rows = torch.arange(len(last), device=last.device)
        return ProcessorOutput(rows=rows, tokens=last, values=torch.full(last.shape, -self.penalty, device=last.device))
