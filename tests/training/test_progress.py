"""Progress: a bar on a terminal, lines in a pipe; the clock and the time left."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from seq2seq_kit.training.callbacks import Step
from seq2seq_kit.training.progress import ProgressBar, ProgressLines, clock, progress_callback, time_left
from seq2seq_kit.training.state import TrainingState, Window

VALIDATION = {"kind": "validation", "step": 1200, "epoch": 3, "seconds": 9.0, "loss": 1.23456, "nll": 1.0, "bleu": 30.1}


def trainer(seconds: float, step: int, **limits: Any) -> Any:
    config = SimpleNamespace(training=SimpleNamespace(**{"max_steps": None, "max_minutes": None, **limits}))
    state = TrainingState(step=step, window=Window(steps=2, loss=30.0, tokens=20, seconds=0.5))
    return SimpleNamespace(config=config, state=state, seconds=seconds)


def test_time_left_is_that_of_the_first_limit() -> None:
    assert time_left(trainer(10.0, 0, max_steps=100)) is None
    assert time_left(trainer(10.0, 20, max_steps=100)) == pytest.approx(40.0)
    assert time_left(trainer(10.0, 20, max_steps=100, max_minutes=0.5)) == pytest.approx(20.0)
    assert time_left(trainer(99.0, 20, max_minutes=0.5)) == 0.0


def test_clock() -> None:
    assert [clock(0.9), clock(61), clock(36_000), clock(None)] == ["0:00:00", "0:01:01", "10:00:00", "-:--:--"]


def test_a_pipe_gets_lines_and_a_terminal_a_bar() -> None:
    pipe, terminal = Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True, width=120)
    assert isinstance(progress_callback(pipe), ProgressLines)
    assert isinstance(progress_callback(terminal), ProgressBar)


def test_lines_hold_step_loss_and_scores() -> None:
    file = io.StringIO()
    lines = ProgressLines(Console(file=file, width=20))  # never wrapped
    lines.on_log(trainer(10.0, 20, max_steps=100), {"step": 20, "loss": 2.5, "tokens_per_second": 1234.5})
    lines.on_log(trainer(10.1, 21, max_steps=100), {"step": 21, "loss": 2.4, "tokens_per_second": 1234.5})
    lines.on_validation(trainer(10.0, 20), {**VALIDATION, "best": True})
    assert file.getvalue().splitlines() == [
        "step 20: training loss 2.500, 1,234 tokens/s, 0:00:40 left",  # one at most every ten seconds
        "step 1,200: loss 1.235  bleu 30.1  (best so far)",
    ]


def test_the_bar_holds_step_loss_speed_and_time_left() -> None:
    file = io.StringIO()
    bar = ProgressBar(Console(file=file, force_terminal=True, width=120))
    run = trainer(10.0, 20, max_steps=100)
    bar.on_start(run)
    bar.on_step(run, Step(20, 1.5, 10, 0.25, 1.0, 1e-3, 1.0))
    bar._bar.refresh()
    bar.on_validation_start(run)
    bar.on_validation(run, {**VALIDATION, "best": False})
    bar.on_end(run)
    shown = file.getvalue()
    assert "step 20 of 100" in shown and "loss 1.500" in shown and "40 tokens/s" in shown and "0:00:40 left" in shown
    assert "step 1,200: loss 1.235  bleu 30.1\n" in shown.replace("\r", "")
