"""``curves.png``: the losses and the scores of a run over its steps."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit.sealed import write_atomically
from seq2seq_kit.training.callbacks import Callback, Record
from seq2seq_kit.training.log import METRICS, read_metrics

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

CURVES = "curves.png"
_NOT_A_SCORE = {"kind", "step", "epoch", "seconds", "loss", "nll", "perplexity", "accuracy", "best"}


class Curves(Callback):
    """Draws ``curves.png`` after each validation; says once that it cannot where matplotlib is not installed."""

    def on_start(self, trainer: Trainer) -> None:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            self._drawing = False
            print(f"{CURVES} is not drawn: it needs pip install 'seq2seq_kit[plots]'", file=sys.stderr)
        else:
            self._drawing = True

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        if self._drawing:
            draw_curves(read_metrics(trainer.run / METRICS), trainer.run / CURVES)


def draw_curves(records: list[Record], path: Path) -> None:
    """Write a PNG of training and validation loss, and below it of every score, over steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training = [r for r in records if r["kind"] == "train"]
    validation = [r for r in records if r["kind"] == "validation"]
    scores = [name for name in (validation[-1] if validation else {}) if name not in _NOT_A_SCORE]
    figure = Figure(figsize=(8, 7 if scores else 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if scores else 1, 1, sharex=True, squeeze=False)[:, 0]
    _curve(axes[0], training, "loss", "training", linewidth=1, alpha=0.7)
    _curve(axes[0], validation, "loss", "validation", marker="o", markersize=3)
    axes[0].set_ylabel("loss (nats per token)")
    for name in scores:
        _curve(axes[1], validation, name, name, marker="o", markersize=3)
    if scores:
        axes[1].set_ylabel("score")
    best = [r["step"] for r in validation if r["best"]]
    for axis in axes:
        if best:
            axis.axvline(best[-1], color="gray", linestyle=":", linewidth=1, label=f"best (step {best[-1]:,})")
        axis.grid(alpha=0.3)
        axis.legend()
    axes[-1].set_xlabel("step")
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write_atomically(path, image.getvalue())


def _curve(axis: Any, records: list[Record], name: str, label: str, **style: Any) -> None:
    points = [(r["step"], r[name]) for r in records if name in r]
    if points:
        axis.plot(*zip(*points, strict=True), label=label, **style)
