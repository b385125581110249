"""Averaging: the mean of weights decodes, and runs that do not fit are refused by the name of what differs."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit import sealed
from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import CheckpointError, UserError
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.sealed import read_json, read_tensors, write_json, write_tensors
from seq2seq_kit.training.averaging import average, weight_files
from seq2seq_kit.training.runs import train

Tiny = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 30 steps that kept the best three of six validations."""
    folder = tmp_path_factory.mktemp("averaging") / "run"
    train(tiny(max_steps=30, validate_every=5, validation_metric="loss", keep_best=3), folder)
    return folder


def copy(run: Path, out: Path, **weights: Any) -> Path:
    """A copy of a run whose weights were changed: ``name=function of the tensor``."""
    shutil.copytree(run, out)
    tensors, facts = read_tensors(out / "model.safetensors")
    changed = {name: weights.get(name.replace(".", "_"), lambda x: x)(tensor) for name, tensor in tensors.items()}
    write_tensors(out / "model.safetensors", {n: x for n, x in changed.items() if x is not None}, facts)
    return out


def test_the_mean_of_two_runs(run: Path, tmp_path: Path) -> None:
    other = copy(run, tmp_path / "other", decoder_embedding_weight=lambda x: x + 1)
    averaged = average([run / "model.safetensors", other / "model.safetensors"], tmp_path / "mean")
    weights, facts = read_tensors(tmp_path / "mean" / "model.safetensors")
    ours, _ = read_tensors(run / "model.safetensors")
    assert set(weights) == set(ours)
    for name, tensor in ours.items():
        shifted = 0.5 if name == "decoder.embedding.weight" else 0.0
        torch.testing.assert_close(weights[name], tensor + shifted, rtol=0, atol=1e-6)
        assert weights[name].dtype == tensor.dtype
    assert facts["averaged"] == averaged and [f["step"] for f in averaged] == [facts["step"]] * 2
    outputs = load(tmp_path / "mean").translate(["one two"])
    assert isinstance(outputs[0].text, str)
    assert load_run(tmp_path / "mean").facts == facts


def test_equal_weights_stay_what_they_are_bit_for_bit(run: Path, tmp_path: Path) -> None:
    file = run / "model.safetensors"
    average([file, file, file], tmp_path / "mean")
    before, after = load_run(run).model.state_dict(), load_run(tmp_path / "mean").model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_mean_is_rounded_once(run: Path, tmp_path: Path) -> None:
    """In float32, adding 1e8 first would lose what the others say."""
    name = "decoder_output_layer_bias"
    parts = [
        copy(run, tmp_path / str(number), **{name: lambda x, v=value: torch.full_like(x, v)})
        for number, value in enumerate((1e8, 1.0, -1e8))
    ]
    average([part / "model.safetensors" for part in parts], tmp_path / "mean")
    bias = read_tensors(tmp_path / "mean" / "model.safetensors")[0]["decoder.output_layer.bias"]
    assert torch.equal(bias, torch.full_like(bias, 1 / 3))


def test_kept_checkpoints_best_and_last_ones(run: Path, tmp_path: Path) -> None:
    losses = [read_tensors(file)[1]["metrics"]["loss"] for file in weight_files(run, best=3)]
    assert losses == sorted(losses) and losses[0] == read_tensors(run / "model.safetensors")[1]["metrics"]["loss"]
    steps = [read_tensors(file)[1]["step"] for file in weight_files(run, last=3)]
    assert steps == sorted(steps, reverse=True)
    assert weight_files(run, best=1) == weight_files(run, best=3)[:1]
    assert weight_files(run) == [run / "model.safetensors"]
    with pytest.raises(CheckpointError, match=r"the weights of 3 validations, not of 4; training\.keep_best=4"):
        weight_files(run, best=4)
    with pytest.raises(CheckpointError, match=r"training\.keep_last=5"):
        weight_files(run, last=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder_output_layer_bias": lambda x: None}, "has no parameter decoder.output_layer.bias"),
        (
            {"decoder_output_layer_bias": lambda x: x[1:]},
            r"the parameter decoder.output_layer.bias has the shape \[13\], not \[14\]",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_named(run: Path, tmp_path: Path, change: Any, message: str) -> None:
    other = copy(run, tmp_path / "other", **change)
    for files in ([run, other], [other, run]):
        with pytest.raises(CheckpointError, match="cannot be averaged with"):
            average([folder / "model.safetensors" for folder in files], tmp_path / "mean")
    with pytest.raises(CheckpointError, match=message):
        average([run / "model.safetensors", other / "model.safetensors"], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_another_model_or_other_tokenizers_are_named(run: Path, tmp_path: Path) -> None:
    """Equal shapes are not enough."""
    other = copy(run, tmp_path / "other")
    manifest = read_json(other / "checkpoint.json")
    manifest["config"]["model"]["decoder"]["query"] = "previous"
    write_json(other / "checkpoint.json", manifest)
    files = [run / "model.safetensors", other / "model.safetensors"]
    with pytest.raises(CheckpointError, match=r'model\.decoder\.query is "previous", not "current"'):
        average(files, tmp_path / "mean")
    manifest["config"]["model"]["decoder"]["query"] = "current"
    manifest["files"]["tokenizers/source.json"] = "0" * 64
    write_json(other / "checkpoint.json", manifest)
    with pytest.raises(CheckpointError, match=r"its tokenizers are others \(tokenizers/source.json differs\)"):
        average(files, tmp_path / "mean")


def test_a_full_disk_leaves_nothing_behind(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sealed.os, "replace", full)
    with pytest.raises(CheckpointError, match=r"mean/model\.safetensors: cannot be written: No space left"):
        average([run / "model.safetensors"] * 2, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_what_cannot_be_averaged(run: Path, tmp_path: Path) -> None:
    file = run / "model.safetensors"
    with pytest.raises(UserError, match="one set of weights is no average"):
        average([file], tmp_path / "mean")
    with pytest.raises(UserError, match="not empty"):
        average([file, file], run)
    with pytest.raises(CheckpointError, match="there is no such run folder"):
        average([file, tmp_path / "none" / "model.safetensors"], tmp_path / "mean")
    with pytest.raises(CheckpointError, match="there is no such run folder"):
        weight_files(tmp_path / "none", best=2)
    with pytest.raises(CheckpointError, match=r"weights-7\.safetensors: there is no such file"):
        average([file, run / "weights-7.safetensors"], tmp_path / "mean")
