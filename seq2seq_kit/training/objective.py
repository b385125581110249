"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, Criterion, CriterionOutput
from seq2seq_kit.model import Model
from seq2seq_kit.unroll import unroll


def objective(model: Model, criterion: Criterion, batch: Batch, forcing: float = 1.0) -> tuple[Tensor, CriterionOutput]:
    """The sum over target tokens of the criterion and the decoder's own losses; and the criterion's output.

    Args:
        forcing: the probability that the decoder is fed the reference token and not its own output. Below 1 the
            decoder is unrolled step by step (see :func:`seq2seq_kit.unroll.unroll`), without losses of its own.
    """
    assert batch.target is not None and batch.target_mask is not None
    own_losses: list[Tensor] = []
    if forcing == 1:
        scores, kind, decoded = model(batch)
        own_losses = list(decoded.losses.values())
    elif 0 <= forcing < 1:
        memory = model.encoder(batch)
        scores = unroll(model.decoder, memory, batch.target, model.target.bos_id, forcing)
        kind = model.decoder.score_kind
    else:
        raise ConfigError(f"training.teacher_forcing: must give probabilities from 0 to 1, but gives {forcing:g}")
    output = criterion(scores, kind, batch.target, batch.target_mask)
    return torch.stack([output.loss, *own_losses]).sum(), output
