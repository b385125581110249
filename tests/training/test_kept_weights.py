"""The weights of the best and of the last validations stay in the run folder, and no others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.kept_weights import kept_weights
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer
from seq2seq_kit.training.validation import Validator

Tiny = Callable[..., RunConfig]
LOSSES = {2: 5.0, 4: 3.0, 6: 4.0, 8: 3.0, 10: 6.0, 12: 7.0}


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validations whose losses are those above, whatever the model."""
    steps = iter(LOSSES)
    monkeypatch.setattr(Validator, "measure", lambda *_: {"loss": LOSSES[next(steps)]})


def names(run: Path) -> list[str]:
    return [path.name for path in kept_weights(run)]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ({}, []),
        ({"keep_best": 3}, [4, 8, 6]),
        ({"keep_best": 2, "keep_last": 2}, [4, 8, 10, 12]),
        ({"keep_last": 3}, [4, 8, 10, 12]),
        ({"keep_best": 9}, [4, 8, 6, 2, 10, 12]),
    ],
)
def test_the_best_and_the_last_are_kept(
    tiny: Tiny, tmp_path: Path, planned: None, keep: dict[str, int], expected: list[int]
) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=12, validate_every=2, validation_metric="loss", **keep), run)
    assert names(run) == [f"weights-{step}.safetensors" for step in expected]  # the best first, of equals the earlier
    best, facts = read_tensors(run / "model.safetensors")
    assert facts["step"] == 4
    for step in expected:
        tensors, facts = read_tensors(run / f"weights-{step}.safetensors")
        assert (facts["step"], facts["metrics"]) == (step, {"loss": LOSSES[step]})
        assert (step == 4) is all(torch.equal(best[name], tensor) for name, tensor in tensors.items())


class Killed(BaseException):
    """Nothing catches it, as nothing does after kill -9."""


@pytest.mark.parametrize("failure", [ZeroDivisionError, Killed])
def test_a_broken_run_keeps_what_the_unbroken_one_keeps(
    tiny: Tiny, tmp_path: Path, failure: type[BaseException]
) -> None:
    """Also where it breaks after new weights were written and before the state was."""

    class Break(Callback):
        def on_validation(self, trainer: Trainer, record: dict[str, Any]) -> None:
            if record["step"] == 8:
                raise failure

    config = tiny(max_steps=12, validate_every=2, keep_best=2, keep_last=1, validation_metric="loss")
    train(config, tmp_path / "whole")
    with pytest.raises(failure):
        train(config, tmp_path / "broken", callbacks=[Break()])
    if failure is Killed:
        assert len(names(tmp_path / "broken")) > 2  # those of the last saved state are all still there
    resume(tmp_path / "broken")
    assert names(tmp_path / "broken") == names(tmp_path / "whole")
    for name in names(tmp_path / "whole"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_files_are_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=2, validate_every=1, keep_best=2), run)
    (run / "weights-mine.safetensors").write_text("precious")
    os.rename(run / "weights-1.safetensors", run / "kept-by-hand.safetensors")
    resume(run, ["training.max_steps=4", "training.keep_best=1"])
    assert names(run) == []
    assert (run / "weights-mine.safetensors").exists() and (run / "kept-by-hand.safetensors").exists()
