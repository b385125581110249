"""Word-level knowledge distillation (Hinton et al. 2015; Kim and Rush 2016, section 3.1): learn from another run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.config import ComponentConfig, component_field
from seq2seq_kit.criteria.chunks import loss_in_chunks
from seq2seq_kit.criteria.forced import teacher_force
from seq2seq_kit.criteria.token_wise import WithBase, log_probabilities
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, CriterionOutput, TargetSpec, Task
from seq2seq_kit.manifest import TOKENIZERS
from seq2seq_kit.model import Model
from seq2seq_kit.sealed import digest


class DistillationConfig(ComponentConfig):
    """Distillation from a teacher."""

    name: str = "distillation"
    teacher: str
    """The run folder of the teacher, trained with the same tokenizers."""
    weights: Literal["best", "last"] = "best"
    """Which of the teacher's weights."""
    weight: float = Field(default=0.5, ge=0, le=1)
    """w: the share of the teacher in the loss; the labels have the rest."""
    temperature: float = Field(default=1.0, gt=0)
    """τ, by which the logits of both are divided: above 1, more is learned from what the teacher finds unlikely."""
    base: component_field("criterion") = {"name": "cross_entropy"}  # type: ignore[valid-type]
    """The loss against the labels."""


class Distillation(WithBase):
    """(1 - w) base + w τ² Σ KL(teacher ‖ student) over real positions, both at temperature τ.

    The factor τ² keeps the size of the gradient (Hinton et al. 2015, section 2). With w = 1 and τ = 1 it is, but for
    the teacher's own entropy, the word-level loss of Kim and Rush 2016. The teacher is fed what the student is fed,
    stays as it is, and is no part of what is saved.

    Raises:
        CheckpointError: the teacher cannot be loaded.
        ConfigError: it was trained with other tokenizers.
    """

    def __init__(self, config: DistillationConfig, target: TargetSpec) -> None:
        super().__init__(config.name, config.base, target)
        self.config = config
        self._run = load_run(Path(config.teacher), config.weights)  # no module of ours: neither trained nor saved
        self._run.model.eval().requires_grad_(False)

    def attach(self, task: Task) -> None:
        with TemporaryDirectory() as folder:
            task.save(Path(folder))
            files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            own = {f"{TOKENIZERS}/{path.relative_to(folder).as_posix()}": digest(path) for path in files}
        theirs = self._run.manifest.files
        other = sorted(name for name in {*own, *theirs} if own.get(name) != theirs.get(name))
        if other:
            sizes = [one.target_spec.vocab_size for one in (self._run.task, task)]
            raise ConfigError(
                f"criterion.teacher: {self.config.teacher} has other tokenizers than this run ({', '.join(other)}; "
                f"{sizes[0]:,} and {sizes[1]:,} target tokens); teacher and student must share them"
            )

    def objective(self, model: Model, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        assert batch.target is not None and batch.target_mask is not None
        student = teacher_force(model, batch, forcing)
        with torch.no_grad():
            teacher = teacher_force(self._run.model.to(batch.source.device), batch, prefix=student.prefix)
        weight, temperature = self.config.weight, self.config.temperature
        kinds = [one.model.decoder.score_kind for one in (student, teacher)]

        def loss(scores: list[Tensor], target: Tensor, mask: Tensor) -> CriterionOutput:
            output: CriterionOutput = self.base(scores[0], kinds[0], target, mask)
            p, q = (log_probabilities(x[mask], kind, temperature) for x, kind in zip(scores, kinds, strict=True))
            distance = (q.exp() * (q - p)).sum()  # KL(teacher ‖ student)
            output.loss = (1 - weight) * output.loss + weight * temperature**2 * distance
            return output

        output = loss_in_chunks(loss, [student, teacher], batch.target, batch.target_mask, list(self.parameters()))
        output.loss = sum(student.decoded.losses.values(), output.loss)
        return output
