"""``curves.png``: losses, scores, learning rate and throughput of a run over its steps."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit.sealed import write_atomically
from seq2seq_kit.training.callbacks import Callback, Record
from seq2seq_kit.training.log import METRICS, read_metrics

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

CURVES = "curves.png"
_SECONDS_BETWEEN = 30.0  # drawing takes half a second, which may be as long as many steps
_NOT_A_SCORE = {"kind", "step", "epoch", "seconds", "loss", "nll", "perplexity", "accuracy", "best"}


class Curves(Callback):
    """Draws ``curves.png`` after a validation, half a minute or more after the last time, and when the training ends;
    says once that it cannot where matplotlib is not installed."""

    def on_start(self, trainer: Trainer) -> None:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            self._drawing = False
            print(f"{CURVES} is not drawn: it needs pip install 'seq2seq_kit[plots]'", file=sys.stderr)
        else:
            self._drawing = True
        self._last = time.perf_counter()
        self._news = False

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        self._news = True
        if time.perf_counter() - self._last > _SECONDS_BETWEEN:
            self._draw(trainer)

    def on_end(self, trainer: Trainer) -> None:
        if self._news:
            self._draw(trainer)

    def _draw(self, trainer: Trainer) -> None:
        if self._drawing:
            draw_curves(read_metrics(trainer.run / METRICS), trainer.run / CURVES)
        self._last, self._news = time.perf_counter(), False


def draw_curves(records: list[Record], path: Path) -> None:
    """Write a PNG: over the steps, the losses, the scores where there are any, the learning rate and the throughput."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training = [r for r in records if r["kind"] == "train"]
    validation = [r for r in records if r["kind"] == "validation"]
    scores = [name for name in (validation[-1] if validation else {}) if name not in _NOT_A_SCORE]
    heights = {"loss": 3, **({"scores": 3} if scores else {}), "rate": 1, "speed": 1}
    figure = Figure(figsize=(8, sum(heights.values()) + 1), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=list(heights.values()))
    axes = dict(zip(heights, panels, strict=True))
    _curve(axes["loss"], training, "loss", "training", linewidth=1, alpha=0.7)
    _curve(axes["loss"], validation, "loss", "validation", marker="o", markersize=3)
    for name in scores:
        _curve(axes["scores"], validation, name, name, marker="o", markersize=3)
    _curve(axes["rate"], training, "learning_rate", "learning rate", linewidth=1)
    _curve(axes["speed"], training, "tokens_per_second", "target tokens/s", linewidth=1)
    for name, label in (
        ("loss", "loss (nats per token)"),
        ("scores", "score"),
        ("rate", "learning rate"),
        ("speed", "tokens/s"),
    ):
        if name in axes:
            axes[name].set_ylabel(label)
    for name in ("rate", "speed"):
        axes[name].set_ylim(bottom=0)
    axes["rate"].ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    best = [r["step"] for r in validation if r["best"]]
    for name, axis in axes.items():
        if best:
            axis.axvline(best[-1], color="gray", linestyle=":", linewidth=1, label=f"best (step {best[-1]:,})")
        axis.grid(alpha=0.3)
        if name in ("loss", "scores") and axis.get_legend_handles_labels()[0]:
            axis.legend()
    panels[-1].set_xlabel("step")
    figure.align_ylabels(panels)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write_atomically(path, image.getvalue())


def _curve(axis: Any, records: list[Record], name: str, label: str, **style: Any) -> None:
    points = [(r["step"], r[name]) for r in records if name in r]
    if points:
        axis.plot(*zip(*points, strict=True), label=label, **style)
