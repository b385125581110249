"""What is trained: the model, and the criterion where it has parameters of its own."""

from __future__ import annotations

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
            learned = [p.sum() for p in self.parameters() if p.requires_grad]
            return torch.stack(learned).sum() * 0
        return objective(self.model, self.criterion, batch, forcing).loss
