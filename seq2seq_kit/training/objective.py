"""What training minimises."""

from __future__ import annotations

from torch import Tensor

from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Batch, Criterion, CriterionOutput
from seq2seq_kit.model import Model


def objective(model: Model, criterion: Criterion, batch: Batch, forcing: float = 1.0) -> tuple[Tensor, CriterionOutput]:
    """The sum over target tokens that training minimises, and all of the criterion's sums.

    Args:
        forcing: the probability that the decoder is fed the reference token and not its own output; see
            :func:`seq2seq_kit.unroll.decoder_input`.
    """
    if batch.target is None or batch.target_mask is None:
        raise UserError("this batch has no target to be trained or scored with")
    if not 0 <= forcing <= 1:
        raise ConfigError(f"training.teacher_forcing: must give probabilities from 0 to 1, but gives {forcing:g}")
    output = criterion.objective(model, batch, forcing)
    return output.loss, output
