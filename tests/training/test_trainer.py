"""Training: it learns, keeps the best, logs what happened, stops when told, and refuses what it cannot do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit import register
from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import ConfigError, DataError, SearchError, UserError
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.training.callbacks import Callback, Step
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.objective import objective
from seq2seq_kit.training.run_folder import sole_writer
from seq2seq_kit.training.runs import train
from seq2seq_kit.training.trainer import Trainer

Tiny = Callable[..., RunConfig]
Values = Callable[..., dict[str, Any]]


class Watcher(Callback):
    """Remembers what it was told, and may do something at a step."""

    def __init__(self, at_step: dict[int, Callable[[Trainer], None]] | None = None) -> None:
        self.told: list[str] = []
        self.steps: list[Step] = []
        self.at_step = at_step or {}

    def on_start(self, trainer: Trainer) -> None:
        self.told.append("start")

    def on_step(self, trainer: Trainer, step: Step) -> None:
        self.steps.append(step)
        if step.step in self.at_step:
            self.at_step[step.step](trainer)

    def on_log(self, trainer: Trainer, record: dict[str, Any]) -> None:
        self.told.append(f"log {record['step']}")

    def on_validation_start(self, trainer: Trainer) -> None:
        self.told.append("validation start")

    def on_validation(self, trainer: Trainer, record: dict[str, Any]) -> None:
        self.told.append(f"validation {record['step']}")

    def on_end(self, trainer: Trainer) -> None:
        self.told.append("end")


def test_it_learns_a_tiny_corpus_by_heart(tiny: Tiny, tmp_path: Path, number_pairs: list[tuple[str, str]]) -> None:
    config = tiny(max_steps=250, batch_tokens=300, learning_rate=0.03, teacher_forcing="constant", validate_every=125)
    summary = train(config, tmp_path / "run")
    assert summary.best_metrics["loss"] < 0.1 and summary.best_metrics["chrf"] > 90
    sources, targets = zip(*number_pairs[:30], strict=True)
    outputs = load(tmp_path / "run").translate(sources)
    assert sum(output.text == target for output, target in zip(outputs, targets, strict=True)) >= 28


def test_it_learns_without_teacher_forcing(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(
        max_steps=250,
        batch_tokens=300,
        learning_rate=0.03,
        validate_every=125,
        teacher_forcing={"name": "linear", "steps": 50},
    )
    watcher = Watcher()
    summary = train(config, tmp_path / "run", callbacks=[watcher])
    assert [s.teacher_forcing for s in watcher.steps[:2]] == [0.98, 0.96]
    assert {s.teacher_forcing for s in watcher.steps[50:]} == {0.0}
    assert summary.best_metrics["loss"] < 0.5


def test_metrics_file_says_what_happened(tiny: Tiny, tmp_path: Path) -> None:
    watcher = Watcher()
    train(tiny(max_steps=25, save_every=None), tmp_path / "run", callbacks=[watcher])
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    training = [r for r in records if r["kind"] == "train"]
    validation = [r for r in records if r["kind"] == "validation"]
    assert [r["step"] for r in training] == [3, 6, 9, 12, 15, 18, 21, 24]
    assert [r["step"] for r in validation] == [10, 20, 25]  # the last step is always validated
    first = watcher.steps[:3]  # a record is the mean over target tokens of its steps
    mean = sum(s.loss * s.tokens for s in first) / sum(s.tokens for s in first)
    assert training[0]["loss"] == pytest.approx(mean, rel=1e-12)
    assert training[0]["learning_rate"] == pytest.approx(0.01 * 3 / 10)  # warm-up
    assert training[0]["gradient_norm"] > 0 and training[0]["tokens_per_second"] > 0
    assert training[0]["target_tokens"] == sum(s.tokens for s in first)
    assert training[-1]["target_tokens"] == sum(s.tokens for s in watcher.steps[:24])
    for record in validation:
        assert record["perplexity"] == pytest.approx(math.exp(record["nll"]))
        assert 0 <= record["accuracy"] <= 1
        assert {"bleu", "chrf", "loss", "epoch", "seconds", "best"} <= set(record)
    assert records == sorted(records, key=lambda r: r["seconds"])


def test_padding_is_the_share_of_positions_without_a_token(
    tiny: Tiny, tmp_path: Path, number_pairs: list[tuple[str, str]]
) -> None:
    watcher = Watcher()
    train(tiny(max_steps=3, batch_tokens=10**6), tmp_path / "run", callbacks=[watcher])  # one batch has all
    longest = 3  # words, on both sides
    missing = sum(longest - len(source.split()) for source, _ in number_pairs)
    expected = missing / (len(number_pairs) * (longest + 1))
    assert [s.padding for s in watcher.steps] == pytest.approx([expected] * 3) and expected > 0.1
    [logged] = [r["padding"] for r in read_metrics(tmp_path / "run" / "metrics.jsonl") if r["kind"] == "train"]
    assert logged == pytest.approx(expected)


def test_the_best_weights_are_those_of_the_best_validation(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    kept: dict[int, dict[str, torch.Tensor]] = {}

    class Keep(Callback):
        def on_validation(self, trainer: Trainer, record: dict[str, Any]) -> None:
            kept[record["step"]] = {n: t.clone() for n, t in trainer.model.state_dict().items()}

    # A rate that jumps makes the loss worse again: the best is not the last.
    config = tiny(
        max_steps=40,
        validation_metric="loss",
        schedule={"name": "linear", "start": 1, "end": 60, "steps": 5, "delay": 30},
    )
    summary = train(config, run, callbacks=[Keep()])
    validations = [r for r in read_metrics(run / "metrics.jsonl") if r["kind"] == "validation"]
    best = min(validations, key=lambda r: r["loss"])
    assert summary.best_step == best["step"] < 40
    assert [r["step"] for r in validations if r["best"]][-1] == best["step"]
    loaded = load_run(run, "best")
    assert loaded.facts["step"] == best["step"] and loaded.facts["metric"] == "loss"
    assert loaded.facts["metrics"]["loss"] == best["loss"]
    for step, which in ((best["step"], "best"), (40, "last")):
        weights = load_run(run, which).model.state_dict()  # type: ignore[arg-type]
        assert all(torch.equal(weights[name], tensor) for name, tensor in kept[step].items())


def test_pictures_and_tensorboard_are_written(tiny: Tiny, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tiny(max_steps=12, tensorboard=True), tmp_path / "run")
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert {"train/loss", "train/learning_rate", "validation/loss", "validation/bleu"} <= set(events.Tags()["scalars"])
    logged = [r["loss"] for r in read_metrics(tmp_path / "run" / "metrics.jsonl") if r["kind"] == "train"]
    assert [e.value for e in events.Scalars("train/loss")] == pytest.approx(logged, rel=1e-6)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny_values: Values, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((1, 1, 2)):
        config = make_config({**tiny_values(max_steps=5), "seed": seed}, [], "test")
        train(config, tmp_path / str(number))
        weights.append(load_run(tmp_path / str(number), "last").model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_validation_does_not_change_the_training(tiny: Tiny, tmp_path: Path) -> None:
    losses = []
    for every in (2, 100):
        watcher = Watcher()
        train(tiny(max_steps=8, validate_every=every), tmp_path / str(every), callbacks=[watcher])
        losses.append([s.loss for s in watcher.steps])
    assert losses[0] == losses[1]


def test_patience_stops_when_nothing_gets_better(tiny: Tiny, tmp_path: Path) -> None:
    # With a rate this small the model stands still, and so does what it writes.
    config = tiny(max_steps=1000, validate_every=2, patience=2, validation_metric="chrf", learning_rate=1e-12)
    summary = train(config, tmp_path / "run")
    assert "no better chrf in 2 validations" in summary.reason
    assert (summary.steps, summary.best_step) == (6, 2)


def test_max_minutes_counts_validation_and_ends_with_one(tiny: Tiny, tmp_path: Path) -> None:
    def slow(trainer: Trainer) -> None:
        trainer._started -= 60  # as if a minute had passed

    summary = train(tiny(max_steps=None, max_minutes=1.0), tmp_path / "run", callbacks=[Watcher({4: slow})])
    assert summary.steps == 4 and "max_minutes" in summary.reason
    assert read_metrics(tmp_path / "run" / "metrics.jsonl")[-1]["kind"] == "validation"
    assert summary.best_step == 4


def test_callbacks_are_told_in_order_and_may_stop_the_run(tiny: Tiny, tmp_path: Path) -> None:
    watcher = Watcher({5: lambda trainer: trainer.stop("enough")})
    summary = train(tiny(validate_every=4), tmp_path / "run", callbacks=[watcher])
    assert watcher.told == [
        "start",
        "log 3",
        "validation start",
        "validation 4",
        "validation start",
        "validation 5",
        "end",
    ]
    assert summary.reason == "enough" and summary.steps == 5


class CountingConfig(ComponentConfig):
    name: str = "counting"
    every: int = 1


class Counting(Callback):
    seen: list[int] = []

    def __init__(self, config: CountingConfig) -> None:
        self.every = config.every

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if step.step % self.every == 0:
            Counting.seen.append(step.step)


def test_a_configuration_may_name_callbacks(tiny: Tiny, tmp_path: Path) -> None:
    register(Component("callback", "counting", Counting, CountingConfig))
    Counting.seen.clear()
    train(tiny(max_steps=6, callbacks=[{"name": "counting", "every": 2}]), tmp_path / "run")
    assert Counting.seen == [2, 4, 6]
    with pytest.raises(ConfigError, match=r"training\.callbacks\.0: there is no field 'evry'"):
        tiny(callbacks=[{"name": "counting", "evry": 2}])


def test_a_failing_callback_ends_the_run_with_its_own_exception(tiny: Tiny, tmp_path: Path) -> None:
    def fail(trainer: Trainer) -> None:
        raise ZeroDivisionError("mine")

    watcher = Watcher({2: fail})
    with pytest.raises(ZeroDivisionError, match="mine"):
        train(tiny(), tmp_path / "run", callbacks=[watcher])
    assert watcher.told[-1] == "end"


def test_a_loss_that_is_not_a_number_stops_with_step_and_examples(tiny: Tiny, tmp_path: Path) -> None:
    def poison(trainer: Trainer) -> None:
        with torch.no_grad():
            next(trainer.model.parameters()).fill_(math.nan)

    run = tmp_path / "run"
    with pytest.raises(
        UserError, match=r"step 9: the loss of the examples .* is nan.*gradient is not finite.*step 7.*--resume"
    ) as error:
        train(tiny(), run, callbacks=[Watcher({8: poison})])
    assert "learning_rate=0.005" in str(error.value)
    weights = load_run(run, "last").model.state_dict()
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_gradients_are_clipped(tiny: Tiny, tmp_path: Path) -> None:
    """With a norm clipped to almost nothing, plain Adam still moves; its first moment shows what came in."""
    norms = []

    def look(trainer: Trainer) -> None:
        gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
        norms.append(float(torch.stack([g.norm() for g in gradients]).norm()))

    watcher = Watcher({3: look})
    train(tiny(max_steps=3, clip_norm=0.01), tmp_path / "run", callbacks=[watcher])
    assert norms == pytest.approx([0.01], rel=1e-3)
    assert watcher.steps[2].gradient_norm > 0.1  # as it was before


def test_it_never_writes_into_a_folder_with_something_in_it(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match=r"not empty.*--resume"):
        train(tiny(), tmp_path)
    with pytest.raises(UserError, match="is a file"):
        train(tiny(), tmp_path / "thesis.txt")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_processes_cannot_train_in_one_folder(tiny: Tiny, tmp_path: Path) -> None:
    with sole_writer(tmp_path), pytest.raises(UserError, match="another process"):
        train(tiny(), tmp_path)
    train(tiny(max_steps=1), tmp_path)  # the lock is gone with its holder


def test_bad_data_leaves_no_folder_behind(tiny_values: Values, tmp_path: Path) -> None:
    (tmp_path / "one_column.tsv").write_text("hello\n")
    for data, message in (
        ({"train": [str(tmp_path / "none.tsv")]}, r"none\.tsv"),
        ({"dev": [str(tmp_path / "none.tsv")]}, r"none\.tsv"),
        ({"train": [str(tmp_path / "one_column.tsv")]}, r"one_column\.tsv.*1"),
        ({"max_length": 1}, r"none of the .*data\.max_length"),
    ):
        values = tiny_values()
        with pytest.raises(DataError, match=message):
            train(make_config({**values, "data": {**values["data"], **data}}, [], "test"), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_sentences_above_the_limit_are_left_out_and_counted(
    tiny_values: Values, tmp_path: Path, number_pairs: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    values = tiny_values(max_steps=1)
    values["data"]["max_length"] = 3  # two words and EOS
    train(make_config(values, [], "test"), tmp_path / "run")
    long = sum(len(source.split()) > 2 for source, _ in number_pairs)
    assert f"left out {long} training examples with more than 3 tokens" in caplog.text


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"validation_metric": "blue"}, r"no 'blue'.*bleu.*loss"),
        ({"validation_metric": "bleu", "validation_examples": 0}, "validation_examples is 0"),
        ({"teacher_forcing": {"name": "constant", "value": 1.5}}, "teacher_forcing.*1.5"),
    ],
)
def test_options_that_cannot_work_are_refused(
    tiny: Tiny, tmp_path: Path, training: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny(**training), tmp_path / "run")


def test_impossible_search_options_are_refused_before_any_training(tiny_values: Values, tmp_path: Path) -> None:
    config = make_config({**tiny_values(), "search": {"beam_size": 2, "n_best": 3}}, [], "test")
    with pytest.raises(SearchError, match="n_best = 3"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_needs_an_end(tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="training: say when to stop: max_steps or max_minutes"):
        tiny(max_steps=None)


def test_progress_is_lines_in_a_pipe_and_nothing_on_stdout(
    tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(tiny(max_steps=10), tmp_path / "run")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "step 10: loss" in captured.err and "(best so far)" in captured.err
    assert "\r" not in captured.err and "\x1b" not in captured.err


def test_matmul_precision_holds_in_steps_and_not_in_validation(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[str] = []
    between: list[str] = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer, step: Step) -> None:
            between.append(torch.get_float32_matmul_precision())

    def watched(*arguments: Any) -> Any:
        inside.append(torch.get_float32_matmul_precision())
        return objective(*arguments)

    monkeypatch.setattr("seq2seq_kit.training.learner.objective", watched)
    train(tiny(max_steps=2, matmul_precision="medium"), tmp_path / "run", callbacks=[Watch()])
    assert inside == ["medium", "medium"]
    assert between == ["highest", "highest"]
