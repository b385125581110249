"""``curves.png``: every panel holds the numbers of the log, and a run that has none yet is drawn too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq_kit.training import curves
from seq2seq_kit.training.curves import draw_curves

TRAIN = [
    {"kind": "train", "step": step, "loss": 9 - step, "learning_rate": step / 10, "tokens_per_second": 100.0 * step}
    for step in (1, 2, 3)
]
VALIDATION = [
    {"kind": "validation", "step": step, "epoch": 0, "seconds": 1.0, "loss": 8.0, "nll": 7.0, "perplexity": 9.0}
    | {"accuracy": 0.5, "chrf": 10.0 * step, "best": step == 2}
    for step in (2, 3)
]


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``panels(records)``: for each axis its label and the points of its lines, as drawn."""
    from matplotlib.figure import Figure

    def draw(records: list[dict[str, Any]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
        drawn: list[Figure] = []
        monkeypatch.setattr(Figure, "savefig", lambda self, file, **more: drawn.append(self))
        draw_curves(records, tmp_path / "curves.png")
        return {
            axis.get_ylabel(): {
                str(line.get_label()): [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]
                for line in axis.lines
            }
            for axis in drawn[0].axes
        }

    return draw


def test_losses_scores_rate_and_throughput_are_drawn(panels: Any) -> None:
    drawn = panels([*TRAIN, *VALIDATION])
    assert list(drawn) == ["loss (nats per token)", "score", "learning rate", "tokens/s"]
    assert drawn["loss (nats per token)"]["training"] == [(1, 8), (2, 7), (3, 6)]
    assert drawn["loss (nats per token)"]["validation"] == [(2, 8), (3, 8)]
    assert drawn["score"]["chrf"] == [(2, 20), (3, 30)] and set(drawn["score"]) == {"chrf", "best (step 2)"}
    assert drawn["learning rate"]["learning rate"] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert drawn["tokens/s"]["target tokens/s"] == [(1, 100), (2, 200), (3, 300)]


def test_without_scores_there_is_no_panel_for_them(panels: Any) -> None:
    assert list(panels(TRAIN)) == ["loss (nats per token)", "learning rate", "tokens/s"]
    assert all(not lines for lines in panels([]).values())


def test_it_is_a_picture(tmp_path: Path) -> None:
    draw_curves([*TRAIN, *VALIDATION], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_it_is_drawn_every_half_a_minute_and_at_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn, now = [], 0.0
    monkeypatch.setattr(curves, "draw_curves", lambda records, path: drawn.append((now, path.name)))
    monkeypatch.setattr(curves, "read_metrics", lambda path: [])
    monkeypatch.setattr(curves.time, "perf_counter", lambda: now)
    trainer: Any = SimpleNamespace(run=tmp_path)
    callback = curves.Curves()
    callback.on_start(trainer)
    for now in (10.0, 31.0, 40.0, 62.0, 70.0):  # noqa: B007  what the clock says
        callback.on_validation(trainer, {})
    callback.on_end(trainer)
    assert drawn == [(31, "curves.png"), (62, "curves.png"), (70, "curves.png")]


def test_without_a_validation_there_is_nothing_to_draw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(curves, "draw_curves", None)
    callback = curves.Curves()
    callback.on_start(trainer := SimpleNamespace(run=tmp_path))  # type: ignore[arg-type]
    callback.on_end(trainer)  # type: ignore[arg-type]
