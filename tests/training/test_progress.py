"""Progress: a table on a terminal, lines in a pipe; the clock and the time left."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from seq2seq_kit.training.callbacks import Step
from seq2seq_kit.training.progress import ProgressLines, ProgressTable, clock, progress_callback, time_left
from seq2seq_kit.training.state import TrainingState, Window

VALIDATION = {"kind": "validation", "step": 1200, "epoch": 3, "seconds": 9.0, "loss": 1.23456, "nll": 1.0, "bleu": 30.1}


def trainer(seconds: float, step: int, **limits: Any) -> Any:
    config = SimpleNamespace(training=SimpleNamespace(**{"max_steps": None, "max_minutes": None, **limits}))
    state = TrainingState(step=step, epoch=3, window=Window(steps=2, loss=30.0, tokens=20, seconds=0.5))
    return SimpleNamespace(config=config, state=state, seconds=seconds, metric="bleu")


def test_time_left_is_that_of_the_first_limit() -> None:
    assert time_left(trainer(10.0, 0, max_steps=100)) is None
    assert time_left(trainer(10.0, 20, max_steps=100)) == pytest.approx(40.0)
    assert time_left(trainer(10.0, 20, max_steps=100, max_minutes=0.5)) == pytest.approx(20.0)
    assert time_left(trainer(99.0, 20, max_minutes=0.5)) == 0.0


def test_clock() -> None:
    assert [clock(0.9), clock(61), clock(36_000), clock(None)] == ["0:00:00", "0:01:01", "10:00:00", "-:--:--"]


def test_a_pipe_gets_lines_and_a_terminal_a_table() -> None:
    pipe, terminal = Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True, width=120)
    assert isinstance(progress_callback(pipe), ProgressLines)
    assert isinstance(progress_callback(terminal), ProgressTable)


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


def shown(table: ProgressTable, run: Any) -> dict[str, str]:
    """The cells under their headings, as a wide terminal shows them."""
    console = Console(file=io.StringIO(), width=200)
    console.print(table.render(run))
    heading, _, row, *_ = [line for line in console.file.getvalue().splitlines() if line.strip()]  # type: ignore[attr-defined]
    cells = [re.split(r"\s{2,}", line.strip()) for line in (heading, row)]
    return dict(zip(*cells, strict=True))


def test_the_table_holds_the_numbers_of_the_run() -> None:
    file = io.StringIO()
    table = ProgressTable(Console(file=file, force_terminal=True, width=120))
    run = trainer(10.0, 0, max_steps=100)
    run.state.window = Window()
    assert shown(table, run) == {"step": "0 of 100", "epoch": "3", "left": "-:--:--"}  # nothing to say yet
    run = trainer(10.0, 20, max_steps=100)
    table.on_start(run)
    table.on_step(run, Step(20, 1.5, 10, 0.25, 1.25, 1e-3, 1.0, 0.0625))
    expected = {"step": "20 of 100", "epoch": "3", "loss": "1.500", "tokens/s": "40", "learning rate": "0.001"}
    expected |= {"gradient norm": "1.25", "padding": "6.2%", "left": "0:00:40"}
    assert shown(table, run) == expected
    run.state.window = Window()  # as after a record: the numbers stay
    assert shown(table, run) == expected
    table.on_validation_start(run)
    assert shown(table, run)["left"] == "validating"
    run.state.best_step, run.state.best_metrics = 1200, {"bleu": 30.1}
    table.on_validation(run, {**VALIDATION, "best": True})
    assert shown(table, run) == {**expected, "best bleu": "30.1 (step 1,200)"}
    table.on_end(run)
    assert "step 1,200: loss 1.235  bleu 30.1  (best so far)\n" in file.getvalue().replace("\r", "")
