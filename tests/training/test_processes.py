"""Several processes give the run of one, break and resume as one does, and only the first one talks."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from support.processes import train_together

from seq2seq_kit.errors import UserError
from seq2seq_kit.run_config import make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.processes import start_processes
from seq2seq_kit.training.runs import train

pytest.importorskip("accelerate", reason="several processes need accelerate: pip install 'seq2seq_kit[train]'")

Values = Callable[..., dict[str, Any]]


@pytest.fixture
def values(tiny_values: Values) -> Values:
    """A configuration whose updates take several batches; ``dropout`` 0 unless told."""

    def make(dropout: float = 0.0, **training: Any) -> dict[str, Any]:
        made = tiny_values(
            **{
                "teacher_forcing": "constant",
                "batches_per_update": 3,
                "max_steps": 20,
                "log_every": 1,
                "validation_examples": 0,
                **training,
            }
        )
        for part in made["model"].values():
            part["dropout"] = dropout
        return made

    return make


def losses(run: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(run / "metrics.jsonl")]


def test_torchrun_with_two_processes_gives_the_losses_of_one(values: Values, tmp_path: Path) -> None:
    """Of three batches an update, one process computes two and the other one."""
    train(make_config(values(), [], "test"), tmp_path / "one")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values()))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "seq2seq_kit", "train", tmp_path / "config.yaml", "--out", tmp_path / "two"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Training ended") == 1 and done.stderr.count("step 20: loss") == 1
    ours, theirs = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert len(theirs) == 22  # twenty steps, two validations
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("training", [{"batches_per_update": 1}, {"on_out_of_memory": "split"}])
def test_a_process_may_have_nothing_to_do_at_the_end(values: Values, tmp_path: Path, training: dict[str, Any]) -> None:
    """No batch at all, or none while the gradients are added up: that waits until no batch has to be halved."""
    config = values(max_steps=8, **training)
    train(make_config(config, [], "test"), tmp_path / "one")
    assert [code for code, _ in train_together(2, config, tmp_path / "two")] == [0, 0]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)


def test_parameters_that_a_batch_does_not_use_are_waited_for_by_nobody(values: Values, tmp_path: Path) -> None:
    """Whole layers are dropped, others in each process."""
    config = values(max_steps=4)
    config["model"]["encoder"] = {"name": "transformer", "size": 16, "layers": 3, "heads": 2, "layer_drop": 0.6}
    assert [code for code, _ in train_together(2, config, tmp_path / "run")] == [0, 0]


def test_a_killed_process_ends_the_job_and_the_resumed_run_is_that_of_the_unbroken_one(
    values: Values, tmp_path: Path
) -> None:
    """With dropout: the random numbers of both processes are those of the unbroken run too."""
    config = values(dropout=0.2, max_steps=10, save_every=4)
    assert [code for code, _ in train_together(2, config, tmp_path / "whole")] == [0, 0]
    (first, said), (second, _) = train_together(2, config, tmp_path / "run", events={1: ("kill", 7)})
    assert (first, second) == (2, -signal.SIGKILL)
    assert "process 0 has lost another process" in said and "s2s train --resume" in said
    assert read_tensors(tmp_path / "run/training.safetensors")[1]["step"] == 4
    assert [code for code, _ in train_together(2, config, tmp_path / "run", resume=True)] == [0, 0]
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    assert (tmp_path / "run/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_ctrl_c_in_one_process_stops_all_and_the_first_saves(values: Values, tmp_path: Path) -> None:
    (first, said), (second, other) = train_together(2, values(), tmp_path / "run", events={1: ("interrupt", 5)})
    assert (first, second) == (130, 0)
    assert "Stopped at step 5. Continue with" in said and "Stopped at" not in other
    assert read_tensors(tmp_path / "run/training.safetensors")[1]["step"] == 5


def test_divergence_in_one_process_is_told_once_with_its_examples(values: Values, tmp_path: Path) -> None:
    (first, said), (second, other) = train_together(2, values(), tmp_path / "run", events={1: ("poison", 3)})
    assert (first, second) == (2, 0)
    assert "step 3: the loss of the examples" in said and "is nan" in said and other == ""


def test_a_launcher_that_would_shard_by_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ``accelerate launch --use_fsdp``."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    from accelerate.utils import DistributedType

    monkeypatch.setattr("accelerate.Accelerator", lambda **_: SimpleNamespace(distributed_type=DistributedType.FSDP))
    with pytest.raises(UserError, match=r"launcher asks for FSDP.*training\.sharding=fsdp"):
        start_processes("cpu")


def test_what_is_wrong_is_said_by_the_first_process_alone(values: Values, tmp_path: Path) -> None:
    config = values()
    config["data"]["train"] = [str(tmp_path / "none.tsv")]
    (first, said), (_, other) = train_together(2, config, tmp_path / "run")
    assert first == 2 and "none.tsv" in said
    assert "none.tsv" not in other and "Traceback" not in other
