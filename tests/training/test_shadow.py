"""The mean of the weights over the updates (EMA): its formula, what is validated and saved, and its exact resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer

Tiny = Callable[..., RunConfig]


def state(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


class Weights(Callback):
    """Keeps the weights before training, after each update, and what each validation saw."""

    def on_start(self, trainer: Trainer) -> None:
        self.trained, self.means = [state(trainer.model)], [state(trainer.evaluated)]

    def on_step(self, trainer: Trainer, step: Step) -> None:
        self.trained.append(state(trainer.model))
        self.means.append(state(trainer.evaluated))


def test_the_mean_follows_its_formula_and_is_what_is_saved(tiny: Tiny, tmp_path: Path) -> None:
    weights = Weights()
    train(
        tiny(max_steps=12, ema_decay=0.5, validation_metric="loss", validate_every=100),
        tmp_path / "run",
        callbacks=[weights],
    )
    name = "decoder.embedding.weight"
    mean = weights.trained[0][name]
    for t in range(1, 13):
        decay = min(0.5, (1 + t) / (10 + t))  # 2/11 at first, 0.5 from t = 8 on
        mean = decay * mean + (1 - decay) * weights.trained[t][name]
        torch.testing.assert_close(weights.means[t][name], mean, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(mean, weights.trained[12][name])
    for which in ("best", "last"):
        saved = load_run(tmp_path / "run", which).model.state_dict()  # type: ignore[arg-type]
        assert all(torch.equal(saved[n], x) for n, x in weights.means[12].items())


def test_the_mean_is_what_is_validated(tiny: Tiny, tmp_path: Path) -> None:
    """With a decay of nearly 1, warmed up, the mean lags behind: its loss is another, the training is not."""
    losses = []
    for number, options in enumerate(({}, {"ema_decay": 0.99})):
        run = tmp_path / str(number)
        train(tiny(max_steps=10, **options), run)
        losses.append({r["kind"]: r["loss"] for r in read_metrics(run / "metrics.jsonl")})
    assert losses[0]["train"] == losses[1]["train"]
    assert losses[0]["validation"] < losses[1]["validation"]


def test_a_resumed_run_has_the_same_mean_bit_for_bit(tiny: Tiny, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(tiny(max_steps=14, ema_decay=0.9, validate_every=100), tmp_path / "unbroken")
        train(tiny(max_steps=9, ema_decay=0.9, validate_every=100), tmp_path / "run")
        resume(tmp_path / "run", ["training.max_steps=14"])
    finally:
        torch.set_num_threads(threads)
    ours, theirs = (read_tensors(tmp_path / run / "training.safetensors")[0] for run in ("run", "unbroken"))
    assert {name.partition(".")[0] for name in ours} == {"model", "trained", "optimizer"}
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


@pytest.mark.parametrize(("before", "after"), [(None, 0.9), (0.9, None)])
def test_the_mean_can_begin_or_end_at_a_resume(tiny: Tiny, tmp_path: Path, before: Any, after: Any) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=5, ema_decay=before), run)
    tensors, _ = read_tensors(run / "training.safetensors")
    trained = tensors["trained.model.decoder.embedding.weight" if before else "model.decoder.embedding.weight"]
    weights = Weights()
    resume(run, ["training.max_steps=6", f"training.ema_decay={after or 'null'}"], callbacks=[weights])
    assert torch.equal(weights.trained[0]["decoder.embedding.weight"], trained)
