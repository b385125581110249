"""Sharded training is that of one process, and what it saves is an ordinary run."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.processes import train_together
from torch import nn

from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.run_config import make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.sharding import check_shardable

pytest.importorskip("accelerate", reason="several processes need accelerate: pip install 'seq2seq_kit[train]'")

Values = Callable[..., dict[str, Any]]


@pytest.fixture
def values(tiny_values: Values) -> Values:
    """A Transformer with one matrix for all embeddings, whose updates take several batches."""

    def make(dropout: float = 0.0, **training: Any) -> dict[str, Any]:
        plain = {"teacher_forcing": "constant", "epsilon": 1e-4, "log_every": 1, "validation_examples": 0}
        made = tiny_values(**{**plain, "batches_per_update": 3, "sharding": "fsdp", **training})
        made["task"] = {"name": "translation", "source_tokenizer": "word", "shared_tokenizer": True}
        part = {"name": "transformer", "size": 16, "layers": 2, "heads": 2, "dropout": dropout}
        made["model"] = {"encoder": part, "decoder": dict(part), "share_embeddings": True}
        return made

    return make


def losses(run: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(run / "metrics.jsonl")]


def decoded(run: Path) -> list[float]:
    return [record["chrf"] for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "validation"]


def test_torchrun_with_two_processes_gives_the_losses_of_one_and_an_ordinary_run(
    values: Values, tmp_path: Path
) -> None:
    """Of three batches an update, one process computes two and the other one; the embeddings are tied."""
    # At a rate of 0.01 the last bits, which differ with the place of tensors in memory, double at every step.
    config = values(max_steps=20, learning_rate=0.001, save_every=7, validation_examples=4)
    train(make_config(config, [], "test"), tmp_path / "one")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "seq2seq_kit", "train", tmp_path / "config.yaml", "--out", tmp_path / "two"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    kept, numbers = re.findall(r"updates ([\d,]+) of ([\d,]+) numbers", done.stderr)[0]
    assert int(kept.replace(",", "")) == pytest.approx(int(numbers.replace(",", "")) / 2, rel=0.05)

    assert len(losses(tmp_path / "two")) == 22  # twenty steps, two validations
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
    assert decoded(tmp_path / "two") == decoded(tmp_path / "one") != [0, 0]
    ours, theirs = (read_tensors(tmp_path / run / "training.safetensors")[0] for run in ("two", "one"))
    assert {name: x.shape for name, x in ours.items()} == {name: x.shape for name, x in theirs.items()}
    assert [o.text for o in load(tmp_path / "two")(["one two"])] == [
        o.text for o in load(tmp_path / "one")(["one two"])
    ]
    for run in ("one", "two"):  # by one process
        resume(tmp_path / run, ["training.max_steps=22"])
    assert losses(tmp_path / "two")[-3:] == pytest.approx(losses(tmp_path / "one")[-3:], abs=1e-5)


def test_a_killed_process_ends_the_job_and_the_resumed_run_is_that_of_the_unbroken_one(
    values: Values, tmp_path: Path
) -> None:
    config = values(dropout=0.2, max_steps=6, save_every=3, ema_decay=0.9)
    assert [code for code, _ in train_together(2, config, tmp_path / "whole")] == [0, 0]
    (first, said), (second, _) = train_together(2, config, tmp_path / "run", events={1: ("kill", 5)})
    assert (first, second) == (2, -signal.SIGKILL)
    assert "process 0 has lost another process" in said and "s2s train --resume" in said
    assert read_tensors(tmp_path / "run/training.safetensors")[1]["step"] == 3
    assert [code for code, _ in train_together(2, config, tmp_path / "run", resume=True)] == [0, 0]
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    for name in ("model.safetensors", "training.safetensors"):
        ours, theirs = (read_tensors(tmp_path / run / name)[0] for run in ("run", "whole"))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("training", "criterion"),
    [
        (
            {"batches_per_update": 1, "precision": "bfloat16", "freeze": ["encoder.layers.0"], "ema_decay": 0.9},
            {"name": "minimum_risk", "samples": 2, "cross_entropy": 1.0},
        ),
        ({"lora": {"rank": 2, "targets": ["*.query_key_value.weight"]}, "optimizer": "sgd"}, {"name": "r_drop"}),
    ],
    ids=["samples, and a process without a batch", "adapters and two passes"],
)
def test_what_else_training_can_do_is_that_of_two_whole_processes(
    values: Values, tmp_path: Path, training: dict[str, Any], criterion: dict[str, Any]
) -> None:
    """Beside the same processes unsharded, which draw the same random numbers."""
    config = values(max_steps=3, dropout=0.1, **training) | {"criterion": criterion}
    assert [code for code, _ in train_together(2, config, tmp_path / "parts")] == [0, 0]
    config["training"]["sharding"] = "none"
    assert [code for code, _ in train_together(2, config, tmp_path / "whole")] == [0, 0]
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), abs=1e-5)


def test_divergence_is_told_with_the_parameter(values: Values, tmp_path: Path) -> None:
    (first, said), (second, other) = train_together(2, values(), tmp_path / "run", events={1: ("poison", 3)})
    assert (first, second) == (2, 0)
    assert "step 3: the loss of the examples" in said and "gradient is not finite is encoder." in said and other == ""


@pytest.mark.parametrize(
    "other", [{"precision": "float16"}, {"on_out_of_memory": "split"}, {"optimizer": "adafactor"}], ids=str
)
def test_what_it_cannot_be_combined_with_is_said(values: Values, other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"sharding: fsdp .* {next(iter(other.values()))}"):
        make_config(values(**other), [], "test")


def test_a_parameter_without_a_dimension_is_named() -> None:
    module = nn.Linear(2, 2)
    module.scale = nn.Parameter(torch.tensor(1.0))
    with pytest.raises(ConfigError, match=r"parameter scale is a single number.*shape \[1\]"):
        check_shardable(module)
