"""Every criterion in a run: its loss falls, what it learns is saved, and a resumed run goes on as if never stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seq2seq_kit import register
from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Batch, Criterion, CriterionOutput, ScoreKind, TargetSpec
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.objective import objective
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer

Configure = Callable[..., RunConfig]


class Losses(Callback):
    def __init__(self) -> None:
        self.values: list[float] = []

    def on_step(self, trainer: Trainer, step: Step) -> None:
        self.values.append(step.loss)


class ScaledConfig(ComponentConfig):
    name: str = "scaled"


class Scaled(Criterion):
    """A stranger's criterion, which learns the temperature of the softmax."""

    def __init__(self, config: ScaledConfig, target: TargetSpec) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        log_probs = (scores[mask] * self.scale).log_softmax(-1)
        nll = -log_probs.gather(1, target[mask].unsqueeze(1)).sum()
        correct = (log_probs.argmax(-1) == target[mask]).sum()
        return CriterionOutput(nll, nll.detach(), correct, int(mask.sum()))


@pytest.fixture
def configure(tiny_values: Callable[..., dict[str, Any]]) -> Configure:
    def configured(criterion: dict[str, Any], **training: Any) -> RunConfig:
        plain = {"save_every": None, "schedule": "constant", "teacher_forcing": "constant", "validate_every": 1000}
        plain["validation_metric"], plain["validation_examples"] = "loss", 0
        return make_config({**tiny_values(**plain, **training), "criterion": criterion}, [], "test")

    return configured


def options(name: str, tiny_run: Path, tiny_data: Path, folder: Path) -> dict[str, Any]:
    """What a criterion needs to be told."""
    if name == "distillation":
        return {"teacher": str(tiny_run), "temperature": 2.0}
    if name == "guided_alignment":  # the toy corpus is translated word by word
        lines = tiny_data.read_text().splitlines()
        path = folder / "numbers.align"
        path.write_text(
            "".join(" ".join(f"{i}-{i}" for i in range(len(x.split("\t")[0].split()))) + "\n" for x in lines)
        )
        return {"alignments": str(path), "weight": 1.0}
    if name == "minimum_risk":
        return {"samples": 4, "cross_entropy": 0.5, "utility": "chrf"}
    if name == "r_drop":
        return {"alpha": 2.0}
    return {}


@pytest.mark.parametrize("name", ["distillation", "guided_alignment", "minimum_risk", "r_drop", "scaled"])
def test_a_run_lowers_its_loss_and_resumes_exactly(
    name: str, configure: Configure, tiny_run: Path, tiny_data: Path, tmp_path: Path
) -> None:
    register(Component("criterion", "scaled", Scaled, ScaledConfig))
    criterion = {"name": name, **options(name, tiny_run, tiny_data, tmp_path)}
    whole, first, rest = Losses(), Losses(), Losses()
    train(configure(criterion, max_steps=24), tmp_path / "whole", callbacks=[whole])
    assert sum(whole.values[-4:]) < 0.85 * sum(whole.values[:4])
    train(configure(criterion, max_steps=10), tmp_path / "parts", callbacks=[first])
    resume(tmp_path / "parts", ["training.max_steps=24"], callbacks=[rest])
    assert first.values + rest.values == whole.values
    if name == "scaled":
        saved, _ = read_tensors(tmp_path / "whole" / "training.safetensors")
        assert saved["criterion.scale"] != 1
        assert any(key.startswith("optimizer.criterion.scale") for key in saved)


def test_scheduled_sampling_trains_a_transformer_in_two_passes(
    tiny_values: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    values = tiny_values(
        max_steps=60, learning_rate=0.01, teacher_forcing={"name": "inverse_sigmoid", "k": 10}, validate_every=1000
    )
    sizes = {"name": "transformer", "size": 16, "layers": 1, "heads": 2, "feed_forward_size": 32}
    config = make_config({**values, "model": {"encoder": sizes, "decoder": sizes}}, [], "test")
    passes: list[int] = []

    class Count(Losses):
        def on_start(self, trainer: Trainer) -> None:
            trainer.model.decoder.register_forward_hook(lambda *_: passes.append(trainer.state.step))

        def on_step(self, trainer: Trainer, step: Step) -> None:
            super().on_step(trainer, step)
            assert passes.count(step.step - 1) == 2

    losses = Count()
    train(config, tmp_path / "run", callbacks=[losses])
    assert sum(losses.values[-5:]) < 0.7 * sum(losses.values[:5])


def test_a_probability_of_feeding_the_reference_is_one(tiny_run: Path) -> None:
    from seq2seq_kit.checkpoint import load_run

    loaded = load_run(tiny_run)
    own = Scaled(ScaledConfig(), loaded.task.target_spec)
    batch = Batch(torch.tensor([[5, 2]]), torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(UserError, match="no target"):
        objective(loaded.model, own, batch)
    batch.target, batch.target_mask = batch.source, batch.source_mask
    with pytest.raises(ConfigError, match=r"training\.teacher_forcing: .*1\.5"):
        objective(loaded.model, own, batch, 1.5)
