"""What training minimises."""

from __future__ import annotations

from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Batch, Criterion, CriterionOutput
from seq2seq_kit.model import Model


def objective(model: Model, criterion: Criterion, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
    """The criterion's sums over a batch, of which training minimises ``loss``.

    Args:
        forcing: the probability that the decoder is fed the reference token and not its own output; see
            :func:`seq2seq_kit.unroll.decoder_input`.

    Raises:
        UserError: the batch has no target.
        ConfigError: ``forcing`` is not a probability.
    """
    if batch.target is None or batch.target_mask is None:
        raise UserError("this batch has no target to be trained or scored with")
    if not 0 <= forcing <= 1:
        raise ConfigError(f"training.teacher_forcing: must give probabilities from 0 to 1, but gives {forcing:g}")
    return criterion.objective(model, batch, forcing)
