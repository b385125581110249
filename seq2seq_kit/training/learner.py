"""What is trained: the model, and the criterion where it has parameters of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seq2seq_kit.interfaces import Batch, Criterion
from seq2seq_kit.model import Model
from seq2seq_kit.training.objective import objective


class Learner(nn.Module):
    """Model and criterion as one module, whose ``forward`` is the training objective.

    The names of its parameters start with ``model.`` and ``criterion.``; the optimizer and the saved state go by them.
    """

    def __init__(self, model: Model, criterion: Criterion) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion

    def forward(self, batch: Batch | None, forcing: float) -> Tensor:
        """The loss summed over the batch's target tokens, see :func:`objective`; without a batch, zero."""
        if batch is None:
            total = torch.zeros((), device=next(self.parameters()).device)
        else:
            total = objective(self.model, self.criterion, batch, forcing).loss
        reached: Tensor = _ReachAll.apply(total, *(p for p in self.parameters() if p.requires_grad))  # type: ignore[no-untyped-call]
        return reached


class _ReachAll(torch.autograd.Function):
    """Its first argument, whose backward pass also reaches all others, with no gradient: where processes add up their
    gradients, they wait for every parameter, also for those that a batch did not use (a dropped layer)."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, *parameters: Tensor) -> Tensor:
        ctx.count = len(parameters)
        return total.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return gradient, *[None] * ctx.count
