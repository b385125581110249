"""What a person sees while a model trains: a live bar on a terminal, plain lines elsewhere. Both go to stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from seq2seq_kit.training.callbacks import Callback, Record, Step

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

SECONDS_BETWEEN_LINES = 10.0
_NOT_SHOWN = {"kind", "step", "epoch", "seconds", "nll", "best"}


def progress_callback(console: Console) -> Callback:
    """A bar if ``console`` is a terminal, lines if not."""
    return ProgressBar(console) if console.is_terminal else ProgressLines(console)


def time_left(trainer: Trainer) -> float | None:
    """Seconds until the first limit, at the speed so far; None before the first step."""
    config, state = trainer.config.training, trainer.state
    left = []
    if config.max_steps is not None and state.step:
        left.append((config.max_steps - state.step) * trainer.seconds / state.step)
    if config.max_minutes is not None:
        left.append(config.max_minutes * 60 - trainer.seconds)
    return max(min(left), 0.0) if left else None


def clock(seconds: float | None) -> str:
    """``h:mm:ss``, or dashes where the time is not known."""
    if seconds is None:
        return "-:--:--"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def describe_validation(record: Record) -> str:
    """One line: step, loss, scores, and whether it is the best."""
    numbers = {name: value for name, value in record.items() if name not in _NOT_SHOWN}
    shown = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return f"step {record['step']:,}: {shown}{'  (best so far)' if record['best'] else ''}"


class ProgressBar(Callback):
    """A rich bar with step, loss, tokens/s and time left; validations stay above it as lines."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def on_start(self, trainer: Trainer) -> None:
        columns = (
            "{task.fields[steps]}",
            "loss {task.fields[loss]}",
            "{task.fields[speed]} tokens/s",
            "{task.fields[left]}",
        )
        self._bar = Progress(BarColumn(), *map(TextColumn, columns), console=self.console, transient=True)
        self._task = self._bar.add_task("", total=1.0, steps="", loss="-", speed="-", left="")
        self._bar.start()

    def on_step(self, trainer: Trainer, step: Step) -> None:
        config = trainer.config.training
        left = time_left(trainer)
        done = trainer.seconds / (trainer.seconds + left) if left is not None else 0.0
        limit = f" of {config.max_steps:,}" if config.max_steps else ""
        window = trainer.state.window
        self._bar.update(
            self._task,
            completed=done,
            steps=f"step {step.step:,}{limit}",
            loss=f"{window.loss / window.tokens:.3f}",
            speed=f"{window.tokens / window.seconds:,.0f}",
            left=f"{clock(left)} left",
        )

    def on_validation_start(self, trainer: Trainer) -> None:
        self._bar.update(self._task, left="validating")

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        self.console.print(describe_validation(record), highlight=False, soft_wrap=True)

    def on_end(self, trainer: Trainer) -> None:
        self._bar.stop()


class ProgressLines(Callback):
    """A line for each validation, and one at most every ten seconds between."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._last = 0.0

    def on_log(self, trainer: Trainer, record: Record) -> None:
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            speed, left = f"{record['tokens_per_second']:,.0f} tokens/s", f"{clock(time_left(trainer))} left"
            self._print(f"step {record['step']:,}: training loss {record['loss']:.3f}, {speed}, {left}")

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        self._print(describe_validation(record))

    def _print(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
