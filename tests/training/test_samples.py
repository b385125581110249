"""Samples: what the model wrote at each validation is shown and kept, and its attention drawn where wanted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.training.runs import resume, train

Tiny = Callable[..., RunConfig]


def samples(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()]


def test_samples_are_shown_and_kept(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=20, samples=2), run)
    found = samples(run)
    assert [s["step"] for s in found] == [10, 10, 20, 20]
    assert found[0]["source"] == found[2]["source"] == "one one" and found[0]["references"] == ["un un"]
    assert found[0]["id"] == found[2]["id"] and found[0]["kind"] == "sample"
    shown = capfd.readouterr().err
    for sample in found:
        block = [("source", sample["source"]), ("reference", sample["references"][0]), ("output", sample["output"])]
        assert "\n".join(f"  {name:<9}  {text}" for name, text in block) in shown
    resume(run, ["training.max_steps=21"])
    assert samples(run)[:4] == found and [s["step"] for s in samples(run)[4:]] == [21, 21]


def test_a_resumed_run_drops_samples_after_its_checkpoint(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny(max_steps=10, samples=1), run)
    before = samples(run)
    with (run / "samples.jsonl").open("a", encoding="utf-8") as file:  # as if it had been killed while saving
        file.write(json.dumps({**before[0], "step": 11}) + "\n" + '{"kind": "sam')
    resume(run, ["training.max_steps=11"])
    assert samples(run)[0] == before[0] and [s["step"] for s in samples(run)] == [10, 11]


def test_attention_is_drawn_where_there_is_any(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(max_steps=2, samples=0, attention_pictures=True), tmp_path / "run")
    assert (tmp_path / "run" / "attention" / "step-2.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "run" / "samples.jsonl").exists()


def test_nothing_is_written_where_nothing_is_decoded(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(max_steps=2, validation_examples=0, attention_pictures=True), tmp_path / "run")
    assert not (tmp_path / "run" / "samples.jsonl").exists() and not (tmp_path / "run" / "attention").exists()
