"""What a person sees while a model trains: a live table on a terminal, plain lines elsewhere. Both go to stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from seq2seq_kit.training.callbacks import Callback, Record, Step

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

SECONDS_BETWEEN_LINES = 10.0
_NOT_SHOWN = {"kind", "step", "epoch", "seconds", "nll", "best"}


def progress_callback(console: Console) -> Callback:
    """A table if ``console`` is a terminal, lines if not."""
    return ProgressTable(console) if console.is_terminal else ProgressLines(console)


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


class ProgressTable(Callback):
    """A live table of the run's numbers over a bar; validations stay above it as lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._numbers: dict[str, str] = {}  # of the last step and of those since the last record
        self._validating = False

    def on_start(self, trainer: Trainer) -> None:
        self._live = Live(
            get_renderable=lambda: self.render(trainer), console=self.console, refresh_per_second=2, transient=True
        )
        self._live.start()

    def on_step(self, trainer: Trainer, step: Step) -> None:
        window = trainer.state.window
        self._numbers = {
            "loss": f"{window.loss / window.tokens:.3f}",
            "tokens/s": f"{window.tokens / window.seconds:,.0f}",
            "learning rate": f"{step.learning_rate:.3g}",
            "gradient norm": f"{step.gradient_norm:.3g}",
            "padding": f"{step.padding:.1%}",
        }

    def on_validation_start(self, trainer: Trainer) -> None:
        self._validating = True

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        self._validating = False
        self.console.print(describe_validation(record), highlight=False, markup=False, soft_wrap=True)

    def on_end(self, trainer: Trainer) -> None:
        self._live.stop()

    def render(self, trainer: Trainer) -> RenderableType:
        """The table as it is now; called by the display's own thread, which changes nothing."""
        state, limit, left = trainer.state, trainer.config.training.max_steps, time_left(trainer)
        cells = {"step": f"{state.step:,}{f' of {limit:,}' if limit else ''}", "epoch": f"{state.epoch:,}"}
        cells |= self._numbers
        if state.best_step is not None and trainer.metric in state.best_metrics:
            best = state.best_metrics[trainer.metric]
            cells[f"best {trainer.metric}"] = f"{best:.4g} (step {state.best_step:,})"
        cells["left"] = "validating" if self._validating else clock(left)
        table = Table(*cells, box=SIMPLE_HEAD, expand=True)
        table.add_row(*cells.values())
        done = trainer.seconds / (trainer.seconds + left) if left is not None else 0.0
        return Group(table, ProgressBar(total=1.0, completed=done))


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
