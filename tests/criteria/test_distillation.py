"""Distillation: the formula, a teacher that stays as it is, and one that does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.config import validate
from seq2seq_kit.criteria import chunks
from seq2seq_kit.criteria.distillation import Distillation, DistillationConfig
from seq2seq_kit.errors import CheckpointError, ConfigError
from seq2seq_kit.interfaces import Batch, Example, Task
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import ModelConfig

W, TAU = 0.7, 2.0
STUDENT = {
    "encoder": {"name": "gru", "embedding_size": 6, "size": 8},
    "decoder": {"name": "lstm", "embedding_size": 6, "size": 8},
}


@pytest.fixture(scope="module")
def task(tiny_run: Path) -> Task:
    return load_run(tiny_run).task


@pytest.fixture
def student(task: Task) -> Model:
    torch.manual_seed(0)
    return build_model(validate(ModelConfig, STUDENT, "test"), task.source_spec, task.target_spec).train()


@pytest.fixture
def batch(task: Task, number_pairs: list[tuple[str, str]]) -> Batch:
    return task.collate(task.encode([Example(source, target) for source, target in number_pairs[8:24]]))


def criterion(teacher: Path, task: Task, **options: Any) -> Distillation:
    section = {"name": "distillation", "teacher": str(teacher), "weight": W, "temperature": TAU, **options}
    own = Distillation(validate(DistillationConfig, section, "test"), task.target_spec)
    own.attach(task)
    return own


def test_the_loss_is_that_of_teacher_and_labels(
    tiny_run: Path, task: Task, student: Model, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 100)
    assert batch.target is not None and batch.target_mask is not None
    output = criterion(tiny_run, task).objective(student, batch)
    scores = student(batch)[0][batch.target_mask]  # [N, V]
    with torch.no_grad():
        theirs = load_run(tiny_run).model.eval()(batch)[0][batch.target_mask]
    nll = torch.nn.functional.cross_entropy(scores, batch.target[batch.target_mask], reduction="sum")
    q, p = (theirs / TAU).softmax(-1), (scores / TAU).softmax(-1)
    expected = (1 - W) * nll + W * TAU**2 * (q * (q / p).log()).sum()
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(output.nll, nll)
    found = torch.autograd.grad(output.loss, list(student.parameters()), allow_unused=True)
    wanted = torch.autograd.grad(expected, list(student.parameters()), allow_unused=True)
    for gradient, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient, right, atol=1e-5, rtol=1e-5)


def test_steps_bring_the_student_to_the_teacher(tiny_run: Path, task: Task, student: Model, batch: Batch) -> None:
    own = criterion(tiny_run, task, weight=1.0, temperature=1.0)
    before = {name: x.clone() for name, x in own._run.model.state_dict().items()}
    optimizer = torch.optim.Adam(student.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = own.objective(student, batch).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
    assert all(torch.equal(x, before[name]) for name, x in own._run.model.state_dict().items())
    assert own.objective(own._run.model, batch).loss == pytest.approx(
        0, abs=1e-3
    )  # the teacher learns nothing of itself


def test_the_teacher_is_neither_trained_nor_saved_and_is_never_in_training_mode(
    tiny_run: Path, task: Task, student: Model, batch: Batch
) -> None:
    own = criterion(tiny_run, task).train()
    assert not list(own.parameters()) and not own.state_dict()
    own.objective(student, batch, forcing=0.5)
    assert not own._run.model.training


def test_a_teacher_that_does_not_fit_is_refused(tiny_run: Path, task: Task, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such run folder"):
        criterion(tmp_path / "nowhere", task)
    other = build("task", load_run(tiny_run).config.task)
    other.prepare([Example("one two", "un deux")])
    with pytest.raises(
        ConfigError, match=r"criterion\.teacher: .*other tokenizers.*source\.json.*14 and 6 target tokens"
    ):
        criterion(tiny_run, other)
