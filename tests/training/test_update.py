"""An update: its loss and gradient are those of all its batches, however they are cut, and it says what went wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch
from seq2seq_kit.model import build_model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.corpus import load_corpus
from seq2seq_kit.training.learner import Learner
from seq2seq_kit.training.optimizers import make_optimizer
from seq2seq_kit.training.out_of_memory import OutOfMemory
from seq2seq_kit.training.processes import Processes
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer
from seq2seq_kit.training.update import NotFinite, Updater

Values = Callable[..., dict[str, Any]]
CPU = torch.device("cpu")


def without_dropout(values: dict[str, Any]) -> RunConfig:
    for part in values["model"].values():
        part["dropout"] = 0.0
    return make_config(values, [], "test")


class Bench:
    """A learner of a tiny configuration and its data, to make updates with."""

    def __init__(self, config: RunConfig) -> None:
        torch.manual_seed(3)
        self.task = build("task", config.task)
        self.corpus = load_corpus(config.data, self.task, prepare=True)
        model = build_model(config.model, self.task.source_spec, self.task.target_spec)
        self.learner = Learner(model, build("criterion", config.criterion, self.task.target_spec))
        self.optimizer = make_optimizer(config.training, self.learner)
        self.update = Updater(config.training, self.learner, self.optimizer, Processes(CPU))

    def batch(self, *indices: int) -> Batch:
        return self.task.collate([self.corpus.train[i] for i in indices])

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in self.learner.named_parameters()}


@pytest.fixture
def bench(tiny_values: Values) -> Callable[..., Bench]:
    return lambda **training: Bench(without_dropout(tiny_values(**training)))


def test_cutting_a_batch_changes_neither_loss_nor_update(bench: Callable[..., Bench]) -> None:
    """Batches of very different sizes: a mean of their means would be another number."""
    whole, cut = bench(), bench()
    done = whole.update([whole.batch(0, 1, 2, 3, 4, 5)], 0.01, 1.0)
    same = cut.update([cut.batch(0), cut.batch(1, 2, 3, 4), cut.batch(5)], 0.01, 1.0)
    assert (same.tokens, same.loss) == (done.tokens, pytest.approx(done.loss, rel=1e-6))
    assert same.gradient_norm == pytest.approx(done.gradient_norm, rel=1e-5)
    for name, weight in whole.weights().items():
        torch.testing.assert_close(cut.weights()[name], weight, atol=1e-5, rtol=1e-4)


def test_a_run_with_accumulation_sees_all_data_and_resumes_exactly(tiny_values: Values, tmp_path: Path) -> None:
    class Watch(Callback):
        def __init__(self, stop: int | None = None) -> None:
            self.steps: list[Step] = []
            self.stop = stop

        def on_step(self, trainer: Trainer, step: Step) -> None:
            self.steps.append(step)
            if step.step == self.stop:
                raise ZeroDivisionError

    single, accumulated, broken = Watch(), Watch(), Watch(5)
    values = dict(max_steps=8, validation_examples=0, save_every=4)
    train(make_config(tiny_values(**{**values, "max_steps": 24}), [], "test"), tmp_path / "1", callbacks=[single])
    config = make_config(tiny_values(**values, batches_per_update=3), [], "test")
    train(config, tmp_path / "3", callbacks=[accumulated])
    tokens = [step.tokens for step in single.steps]
    assert [s.tokens for s in accumulated.steps] == [sum(tokens[i : i + 3]) for i in range(0, 24, 3)]
    with pytest.raises(ZeroDivisionError):
        train(config, tmp_path / "broken", callbacks=[broken])
    rest = Watch()
    resume(tmp_path / "broken", callbacks=[rest])
    assert [s.loss for s in rest.steps] == [s.loss for s in accumulated.steps[4:]]
    assert (tmp_path / "3/model.safetensors").read_bytes() == (tmp_path / "broken/model.safetensors").read_bytes()


@pytest.mark.parametrize("family", ["gru", "lstm"])
@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 2e-2), ("float16", 2e-3)])
def test_reduced_precision_gives_nearly_the_same_update(
    tiny_values: Values, family: str, precision: str, tolerance: float
) -> None:
    def made(precision: str) -> Bench:
        values = tiny_values(precision=precision)
        for part in values["model"].values():
            part["name"] = family
        return Bench(without_dropout(values))

    full, reduced = made("float32"), made(precision)
    for _ in range(3):
        expected = full.update([full.batch(0, 1, 2, 3)], 0.01, 1.0)
        done = reduced.update([reduced.batch(0, 1, 2, 3)], 0.01, 1.0)
    assert done.loss == pytest.approx(expected.loss, rel=tolerance) and done.loss != expected.loss
    assert done.gradient_norm == pytest.approx(expected.gradient_norm, rel=5 * tolerance)
    assert {weight.dtype for weight in reduced.weights().values()} == {torch.float32}


def test_float16_halves_its_loss_scale_until_the_gradient_fits(bench: Callable[..., Bench]) -> None:
    ours = bench(precision="float16")
    ours.update.scaler.load_state_dict({**ours.update.scaler.state_dict(), "scale": 2.0**40})
    before = ours.weights()
    done = ours.update([ours.batch(0, 1, 2)], 0.01, 1.0)
    assert ours.update.scaler.get_scale() < 2.0**40 and math.isfinite(done.gradient_norm)
    assert any(not torch.equal(before[name], weight) for name, weight in ours.weights().items())


def test_the_loss_scale_is_resumed(tiny_values: Values, tmp_path: Path) -> None:
    class Scale(Callback):
        seen: list[float] = []

        def on_start(self, trainer: Trainer) -> None:
            self.seen.append(trainer.parts.update.scaler.get_scale())
            trainer.parts.update.scaler.load_state_dict({**trainer.parts.update.scaler.state_dict(), "scale": 2.0**7})

    config = make_config(tiny_values(max_steps=2, precision="float16", validation_examples=0), [], "test")
    train(config, tmp_path / "run", callbacks=[Scale()])
    resume(tmp_path / "run", ["training.max_steps=3"], callbacks=[Scale()])
    assert Scale.seen == [2.0**16, 2.0**7]


def test_a_loss_that_is_not_a_number_names_the_batch_of_it(bench: Callable[..., Bench]) -> None:
    ours = bench()
    poisoned = ours.batch(3, 4)
    token = int(poisoned.source[0, 0])
    with torch.no_grad():
        ours.learner.model.encoder.embedding.weight[token] = math.nan  # type: ignore[union-attr]
    clean = next(i for i in range(30) if token not in ours.corpus.train[i].source)
    before = ours.weights()
    with pytest.raises(NotFinite, match=rf"the loss of the examples {poisoned.ids[0]}, {poisoned.ids[1]} is nan"):
        ours.update([ours.batch(clean), poisoned], 0.01, 1.0)
    assert all(torch.equal(before[n].nan_to_num(), w.nan_to_num()) for n, w in ours.weights().items())


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_gradient_that_is_not_a_number_names_the_parameter(bench: Callable[..., Bench], precision: str) -> None:
    """A sound loss with a poisoned gradient: also where the loss scale could be to blame, the search for it ends."""
    ours = bench(precision=precision)
    name, parameter = [*ours.learner.named_parameters()][3]
    parameter.register_hook(lambda gradient: gradient * math.inf)
    batch = ours.batch(0, 1)
    with pytest.raises(NotFinite, match=f"gradient of the examples {batch.ids[0]}.*{name.removeprefix('model.')}"):
        ours.update([batch], 0.01, 1.0)


def test_weight_decay_leaves_biases_and_gains_alone(bench: Callable[..., Bench]) -> None:
    decay = dict(optimizer="adamw", weight_decay=0.5)
    for extra, spared in (({}, True), ({"weight_decay_on": "all"}, False)):
        plain, decayed = bench(optimizer="adamw"), bench(**decay, **extra)
        for ours in (plain, decayed):
            ours.update([ours.batch(0, 1)], 0.1, 1.0)
        equal = {n: torch.equal(w, decayed.weights()[n]) for n, w in plain.weights().items()}
        vectors = {n for n, w in plain.weights().items() if w.dim() == 1 and w.any()}
        assert vectors and not any(equal[n] for n in equal if n not in vectors)
        assert all(equal[n] is spared for n in vectors)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adafactor", "sgd"])
def test_every_optimizer_learns_and_resumes_exactly(tiny_values: Values, tmp_path: Path, optimizer: str) -> None:
    """Also with two groups, where the optimizer's order of the parameters is not the model's."""
    training = dict(
        max_steps=10, optimizer=optimizer, validation_examples=0, validate_every=5, weight_decay=0.01, momentum=0.9
    )
    config = make_config(tiny_values(**training), [], "test")
    train(config, tmp_path / "whole")
    train(make_config(tiny_values(**{**training, "max_steps": 5}), [], "test"), tmp_path / "parts")
    summary = resume(tmp_path / "parts", ["training.max_steps=10"])
    assert summary.best_step == 10
    whole, parts = (tmp_path / folder / "model.safetensors" for folder in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


class Memory:
    """Lets a forward pass fail for batches of more sentences than there is room for, as a full device does."""

    def __init__(self, ours: Bench, room: int, error: Exception) -> None:
        self.sizes: list[int] = []

        def check(learner: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
            if inputs[0] is not None:
                self.sizes.append(len(inputs[0]))
                if len(inputs[0]) > room:
                    output.register_hook(self.fail)  # in the backward pass, after some gradients are there
            self.error = error

        ours.learner.register_forward_hook(check)

    def fail(self, gradient: torch.Tensor) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_batch_without_room_is_computed_in_halves(bench: Callable[..., Bench], error: Exception) -> None:
    roomy, tight = bench(), bench(on_out_of_memory="split")
    memory = Memory(tight, 2, error)
    done = roomy.update([roomy.batch(0, 1), roomy.batch(2, 3, 4, 5, 6)], 0.01, 1.0)
    same = tight.update([tight.batch(0, 1), tight.batch(2, 3, 4, 5, 6)], 0.01, 1.0)
    assert memory.sizes == [2, 5, 2, 2, 3, 2, 2, 1, 2]  # begun again with 2 + 3, and with 1 + 2 in the place of the 3
    assert (same.tokens, same.loss) == (done.tokens, pytest.approx(done.loss, rel=1e-6))
    for name, weight in roomy.weights().items():
        torch.testing.assert_close(tight.weights()[name], weight, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("policy", "room"), [("stop", 2), ("split", 0)])
def test_a_batch_that_never_fits_is_named(bench: Callable[..., Bench], policy: str, room: int) -> None:
    ours = bench(on_out_of_memory=policy)
    Memory(ours, room, torch.OutOfMemoryError("CUDA out of memory"))
    before, batch = ours.weights(), ours.batch(5, 6, 7)
    with pytest.raises(OutOfMemory, match=rf"no memory for the batch of the examples {batch.ids[0]}.*source"):
        ours.update([batch], 0.01, 1.0)
    assert all(torch.equal(before[name], weight) for name, weight in ours.weights().items())


def test_a_run_says_what_to_do_without_memory(tiny_values: Values, tmp_path: Path) -> None:
    class NoRoom(Callback):
        def on_start(self, trainer: Trainer) -> None:
            trainer.parts.learner.register_forward_pre_hook(self.fail)

        def fail(self, *_: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

    message = r"step 1: there is no memory for .*keeps the state of step 0.*--resume .*on_out_of_memory=split"
    with pytest.raises(UserError, match=message):
        train(make_config(tiny_values(), [], "test"), tmp_path / "run", callbacks=[NoRoom()])
