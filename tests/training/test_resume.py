"""Resume: killed anywhere, by anything, a run continues as if nothing had happened, or says why it cannot."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.processes import Event, train_together

from seq2seq_kit import sealed
from seq2seq_kit.errors import CheckpointError, ConfigError, DataError
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.interrupt import Interrupt, Interrupted
from seq2seq_kit.training.kept_weights import kept_weights
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer

pytestmark = pytest.mark.long

Tiny = Callable[..., RunConfig]


def facts_that_repeat(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything but the time."""
    return [{k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second")} for r in records]


def assert_same_run(run: Path, reference: Path) -> None:
    """Bit for bit: the best and the last weights, the optimizer, the generators, and what the log says."""
    assert (run / "model.safetensors").read_bytes() == (reference / "model.safetensors").read_bytes()
    (ours, our_facts), (theirs, their_facts) = (read_tensors(r / "training.safetensors") for r in (run, reference))
    assert set(ours) == set(theirs)
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []
    timed = {"seconds", "step_seconds", "window"}
    assert {k: v for k, v in our_facts.items() if k not in timed} == {
        k: v for k, v in their_facts.items() if k not in timed
    }
    ours_logged, theirs_logged = (facts_that_repeat(read_metrics(r / "metrics.jsonl")) for r in (run, reference))
    assert ours_logged == theirs_logged


@pytest.fixture(scope="module")
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """The unbroken run."""
    run = tmp_path_factory.mktemp("unbroken") / "run"
    train(tiny(), run)
    return run


@pytest.fixture(scope="module")
def all_of_it(tiny_values: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """All that a resumed run has to find again: several batches an update, half an epoch done, a mean of the weights, a
    rate that hangs on the validations, several kept weights."""
    return tiny_values(
        max_steps=24,
        batches_per_update=2,
        ema_decay=0.9,
        schedule={"name": "plateau", "patience": 1},
        validation_metric="chrf",
        keep_best=2,
        save_every=5,
        validate_every=8,
    )


@pytest.fixture(scope="module")
def unbroken(all_of_it: dict[str, Any], tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    run = tmp_path_factory.mktemp("unbroken") / "run"
    train(make_config(all_of_it, [], "test"), run)
    return run


# The renamings in order: 1 to 3 encoded data, 4 last state, 5 manifest, 6 log, 7 last (step 5), 8 best and 9 kept
# weights (step 8), 10 last (step 8), 11 last (step 10), … Killed at 10, the best weights are of a step that the last
# state has not reached.
@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("kill", 1),
        ("kill", 6),
        ("kill", 17),
        ("kill", 24),
        ("kill in save", 6),
        ("kill in save", 7),
        ("kill in save", 9),
        ("kill in save", 10),
        ("kill in save", 13),
        ("kill in validation", 2),
    ],
)
def test_killed_and_resumed_equals_unbroken_bit_for_bit(
    all_of_it: dict[str, Any], tmp_path: Path, unbroken: Path, where: Event, count: int
) -> None:
    run = tmp_path / "run"
    ((code, said),) = train_together(1, all_of_it, run, events={0: (where, count)})
    assert code == -signal.SIGKILL, said
    _, facts = read_tensors(run / "training.safetensors")
    assert facts["step"] < 24
    resume(run)
    assert_same_run(run, unbroken)
    assert not list(run.glob("*.tmp"))
    assert [path.name for path in kept_weights(run)] == [path.name for path in kept_weights(unbroken)]


def test_a_run_may_be_broken_many_times(tiny: Tiny, tmp_path: Path, reference: Path, one_thread: None) -> None:
    class Fail(Callback):
        def __init__(self, step: int) -> None:
            self.step = step

        def on_step(self, trainer: Trainer, step: Step) -> None:
            if step.step == self.step:
                raise ZeroDivisionError

    run = tmp_path / "run"
    with pytest.raises(ZeroDivisionError):
        train(tiny(), run, callbacks=[Fail(5)])
    for step in (9, 16, 17, 31, 39):
        with pytest.raises(ZeroDivisionError):
            resume(run, callbacks=[Fail(step)])
    resume(run)
    assert_same_run(run, reference)


def test_a_finished_run_can_be_continued_with_a_later_end(tiny: Tiny, tmp_path: Path, one_thread: None) -> None:
    train(tiny(max_steps=20), tmp_path / "run")
    assert resume(tmp_path / "run").steps == 20  # nothing to do
    summary = resume(tmp_path / "run", ["training.max_steps=40"])
    assert summary.steps == 40
    train(tiny(max_steps=40), tmp_path / "reference")
    assert_same_run(tmp_path / "run", tmp_path / "reference")
    assert resume(tmp_path / "run").steps == 40  # the later end is now the run's own


def test_time_counts_over_resumes(tiny: Tiny, tmp_path: Path) -> None:
    first = train(tiny(max_steps=10), tmp_path / "run")
    second = resume(tmp_path / "run", ["training.max_steps=11"])
    assert second.seconds > first.seconds
    third = resume(tmp_path / "run", [f"training.max_minutes={first.seconds / 60}", "training.max_steps=null"])
    assert third.steps == 11 and "max_minutes" in third.reason


def test_what_would_make_it_another_run_cannot_be_changed(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(max_steps=1), tmp_path / "run")
    fixed = ("seed=2", "model.decoder.size=8", "data.max_length=3", "training.batch_tokens=9", "training.optimizer=sgd")
    for override in fixed:
        with pytest.raises(ConfigError, match=f"--set {override}: a resumed run may change"):
            resume(tmp_path / "run", [override])


def test_changed_data_is_noticed(tiny_values: Callable[..., dict[str, Any]], tiny_data: Path, tmp_path: Path) -> None:
    from seq2seq_kit.run_config import make_config

    data = tmp_path / "data.tsv"
    shutil.copy(tiny_data, data)
    values = tiny_values(max_steps=1)
    values["data"]["train"] = [str(data)]
    train(make_config(values, [], "test"), tmp_path / "run")
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(DataError, match=r"data\.tsv: is not the data that"):
        resume(tmp_path / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_keeps_the_last_checkpoint(tiny: Tiny, tmp_path: Path, reference: Path) -> None:
    """``/dev/full`` answers every write with ENOSPC, as a full disk does."""

    class FillDisk(Callback):
        def on_step(self, trainer: Trainer, step: Step) -> None:
            if step.step == 14:
                (trainer.run / "training.safetensors.tmp").symlink_to("/dev/full")

    run = tmp_path / "run"
    with pytest.raises(CheckpointError, match=r"training\.safetensors: cannot be written: No space left .*unchanged"):
        train(tiny(), run, callbacks=[FillDisk()])
    assert read_tensors(run / "training.safetensors")[1]["step"] == 10
    assert not list(run.glob("*.tmp"))
    resume(run)
    assert_same_run(run, reference)


def test_a_full_disk_while_logging_is_a_sentence_too(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_kit.training import log

    def full(record: dict[str, Any]) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(log, "_line", full)
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl: cannot be written: No space left"):
        train(tiny(), tmp_path / "run")


@pytest.mark.parametrize("name", ["checkpoint.json", "training.safetensors", "tokenizers"])
def test_a_damaged_run_is_not_resumed(tiny: Tiny, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=1), run)
    path = next((run / name).iterdir()) if (run / name).is_dir() else run / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"{path.name}.*damaged"):
        resume(run)


def test_a_log_cut_short_loses_only_its_last_line(tiny: Tiny, tmp_path: Path, one_thread: None) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=20), run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 2')
    resume(run, ["training.max_steps=21"])
    assert all(json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    assert [r["step"] for r in read_metrics(run / "metrics.jsonl") if r["kind"] == "validation"] == [10, 20, 21]


def test_ctrl_c_saves_and_says_how_to_go_on(
    tiny: Tiny, tmp_path: Path, reference: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Press(Callback):
        def on_step(self, trainer: Trainer, step: Step) -> None:
            if step.step == 12:
                signal.raise_signal(signal.SIGINT)

    run = tmp_path / "run"
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), run, callbacks=[Press()])
    assert signal.getsignal(signal.SIGINT) is before
    assert f"Stopped at step 12. Continue with: s2s train --resume {run}" in capfd.readouterr().err
    assert read_tensors(run / "training.safetensors")[1]["step"] == 12
    resume(run)
    assert_same_run(run, reference)


def test_ctrl_c_in_a_validation_repeats_that_validation(tiny: Tiny, tmp_path: Path, reference: Path) -> None:
    class Press(Callback):
        def on_validation_start(self, trainer: Trainer) -> None:
            if trainer.state.step == 20:
                signal.raise_signal(signal.SIGINT)

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), run, callbacks=[Press()])
    assert read_tensors(run / "training.safetensors")[1]["validated_step"] == 10
    resume(run)
    assert_same_run(run, reference)


def test_the_second_ctrl_c_stops_at_once() -> None:
    with Interrupt() as interrupt:
        interrupt.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_stopped_before_the_first_checkpoint_is_said(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def fail(temporary: Path, path: Path) -> None:
        if path.name == "training.safetensors":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(temporary, path)

    monkeypatch.setattr(sealed.os, "replace", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        train(tiny(), tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"run: is not a run folder: it holds no checkpoint\.json"):
        resume(tmp_path / "run")


def test_a_schedule_that_learned_from_validations_goes_on(tiny: Tiny, tmp_path: Path, one_thread: None) -> None:
    """With a rate this small nothing gets better, and the plateau falls again and again."""
    schedule = {"name": "plateau", "patience": 1, "factor": 0.5}
    changes = {"schedule": schedule, "learning_rate": 1e-9, "validation_metric": "chrf", "validate_every": 5}
    train(tiny(max_steps=25, **changes), tmp_path / "unbroken")
    train(tiny(max_steps=15, **changes), tmp_path / "run")
    resume(tmp_path / "run", ["training.max_steps=25"])
    assert_same_run(tmp_path / "run", tmp_path / "unbroken")
    records = read_metrics(tmp_path / "run" / "metrics.jsonl")
    rates = sorted({r["learning_rate"] for r in records if r["kind"] == "train"})
    assert rates == pytest.approx([1.25e-10, 2.5e-10, 5e-10, 1e-9])
    resume(tmp_path / "run", ["training.max_steps=26", "training.schedule=constant"])  # which knows nothing of it
