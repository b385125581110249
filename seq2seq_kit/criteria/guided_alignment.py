"""Guided alignment (Chen et al. 2016): attention is taught by a word aligner."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from seq2seq_kit.config import ComponentConfig, component_field
from seq2seq_kit.criteria.alignment_file import AlignmentFile
from seq2seq_kit.criteria.chunks import criterion_in_chunks
from seq2seq_kit.criteria.forced import teacher_force
from seq2seq_kit.criteria.token_wise import WithBase
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Batch, CriterionOutput, TargetSpec
from seq2seq_kit.model import Model

ALIGNMENT = "alignment"
"""The name in ``Batch.extras`` of known alignments, [B, T, S] (any weights at least 0; those of a label are divided by
their sum)."""


class GuidedAlignmentConfig(ComponentConfig):
    """Attention that follows known alignments."""

    name: str = "guided_alignment"
    alignments: str | None = None
    """A file with a line for each line of the training file, in the format of fast_align and eflomal: ``0-0 1-2`` says
    that source token 0 and target token 0 belong together, and 1 and 2. Tokens are those of the run's tokenizers.
    null: the task gives them with each batch, as ``extras["alignment"]``."""
    weight: float = Field(default=0.1, ge=0)
    """w, what the alignment's loss is multiplied by."""
    base: component_field("criterion") = {"name": "cross_entropy"}  # type: ignore[valid-type]
    """The loss against the labels."""


class GuidedAlignment(WithBase):
    """base - w Σ_t Σ_s A(t, s) log a(t, s): the cross-entropy between alignments A and the decoder's attention a.

    A(t, ·) is spread evenly over the source tokens that label t is aligned to (Chen et al. 2016, section 3.2); labels
    without any are left out. With a file, validation, whose data has none, is by ``base`` alone.

    Raises:
        ConfigError: the file cannot be read.
    """

    def __init__(self, config: GuidedAlignmentConfig, target: TargetSpec) -> None:
        super().__init__(config.name, config.base, target)
        self.weight = config.weight
        self._file = None if config.alignments is None else AlignmentFile(Path(config.alignments))

    def objective(self, model: Model, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        links = self._links(batch, model.training)
        if links is None:
            return super().objective(model, batch, forcing)
        forced = teacher_force(model, batch, forcing, attention=True)
        output = criterion_in_chunks(self, forced, batch)
        attention = forced.decoded.attention
        if attention is None:
            raise ConfigError("criterion guided_alignment: the decoder of this run has no attention to be taught")
        if attention.shape != links.shape:
            raise ConfigError(
                f"criterion guided_alignment: attention is over {attention.shape[-1]} positions, but alignments "
                f"are over {links.shape[-1]} source tokens: the encoder must keep the length of its input"
            )
        output.loss = output.loss + self.weight * alignment_loss(attention, links)
        return output

    def _links(self, batch: Batch, training: bool) -> Tensor | None:
        """[B, T, S], on the batch's device; None where validation data has none."""
        if ALIGNMENT in batch.extras:
            return batch.extras[ALIGNMENT].float()
        if self._file is None:
            raise UserError(
                "criterion guided_alignment: criterion.alignments names no file, and the task gives no alignments "
                f'(Batch.extras["{ALIGNMENT}"])'
            )
        if not training:
            return None
        assert batch.target_mask is not None
        sizes = zip(batch.target_mask.sum(1).tolist(), batch.source_mask.sum(1).tolist(), strict=True)
        links = torch.zeros(*batch.target_mask.shape, batch.source_mask.shape[1])
        for row, (id_, (target_size, source_size)) in enumerate(zip(batch.ids, sizes, strict=True)):
            for source, target in self._file.links(id_, source_size, target_size):
                links[row, target, source] = 1
        return links.to(batch.source.device)


def alignment_loss(attention: Tensor, links: Tensor) -> Tensor:
    """-Σ A log a, with A the ``links`` [B, T, S] of each label divided by their sum, and a the attention [B, T, S]."""
    total = links.sum(-1, keepdim=True)
    wanted = links / total.masked_fill(total == 0, 1)
    return -(wanted * attention.float().clamp(min=1e-9).log()).sum()
