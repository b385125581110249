"""The quality benchmark of Multi30k: tokens as published, a sample a seed, the curve in minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import transformer_german as german
from benchmarks.support import translation

SYSTEMS = ("best checkpoint", "last 10 averaged")


def _run(folder: Path, seed: int, bleu: float, **training: Any) -> Path:
    """A run folder as far as it is read."""
    folder.mkdir()
    config = {"seed": seed, "training": training}
    (folder / "checkpoint.json").write_text(json.dumps({"config": config}))
    records = [
        {"kind": "train", "step": 5, "seconds": 5.0},
        {"kind": "validation", "step": 10, "epoch": 0, "seconds": 300.0, "bleu": 20.004, "best": True},
        {"kind": "validation", "step": 20, "epoch": 1, "seconds": 600.0, "bleu": 30.0, "best": True},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    systems = {system: {"tokenized BLEU": bleu, "sacreBLEU": bleu - 1} for system in SYSTEMS}
    scores = {"systems": systems, "reference tokens": 12103, "signatures": {}}
    (folder / german.SCORES).write_text(json.dumps(scores))
    return folder


@pytest.fixture(autouse=True)
def _without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_the_run(folder: Path) -> dict[str, object]:
        return {"seed": json.loads((folder / "checkpoint.json").read_text())["config"]["seed"]}

    monkeypatch.setattr(translation, "of_the_run", of_the_run)


def test_the_curve_is_in_minutes_and_compared_at_equal_ones(tmp_path: Path) -> None:
    points = german.curve(_run(tmp_path / "a", 1, 40.0))
    assert points == {"5.0": 20.0, "10.0": 30.0}
    assert [german.after(points, minutes) for minutes in (4.9, 6.3, 9.8, 16.6)] == [None, 20.0, 20.0, 30.0]


def test_a_result_has_a_sample_for_each_seed_of_the_configuration(tmp_path: Path) -> None:
    first, second = _run(tmp_path / "a", 1, 40.0, max_steps=8), _run(tmp_path / "b", 2, 41.0, max_steps=8)
    other, unscored = _run(tmp_path / "c", 3, 9.0, max_steps=7), _run(tmp_path / "d", 4, 9.0, max_steps=8)
    (unscored / german.SCORES).unlink()
    result = german.gather("transformer_german", "de", [second, other, unscored, first])
    assert {row.unit: row.samples for row in result.rows} == {"tokenized BLEU": [40.0, 41.0], "sacreBLEU": [39.0, 40.0]}
    assert result.settings["seed"] == [1, 2]
    again = _run(tmp_path / "e", 2, 42.0, max_steps=8)
    result = german.gather("transformer_german", "de", [second, first, again])
    assert result.rows[0].samples == [40.0, 42.0], "the last run of a seed counts"


def test_a_run_that_was_broken_off_is_resumed_and_then_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, resumed = _run(tmp_path / "a", 1, 40.0), []
    monkeypatch.setattr(german, "convert", lambda language: tmp_path)
    monkeypatch.setattr(translation, "resume", lambda run, options: resumed.append(run))
    monkeypatch.setattr(german, "score", lambda *_: json.loads((folder / german.SCORES).read_text()))
    monkeypatch.setattr(german, "ROOT", tmp_path)
    german.run(german.Options(run=folder))
    assert resumed == [folder]
    (folder / translation.FACTS).write_text("{}")
    german.run(german.Options(run=folder))
    assert resumed == [folder], "a training that ended is not resumed"


def test_other_tokens_than_the_published_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(german, "_lines", lambda part, language: ["Ein Satz."])
    monkeypatch.setattr(german, "moses", lambda lines, what, language: ["ein satz ."])
    with pytest.raises(RuntimeError, match="3 tokens in the references, not 12,103"):
        german.score(tmp_path, "de", 1)
