"""``docs/training.md``: the callback that it prints works, and its table has every schedule."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq_kit.registry import registry
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.training.runs import train

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_every_schedule_is_in_the_table() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    ours = {p.component.name for p in registry().provided("schedule") if p.provider.distribution == "seq2seq-kit"}
    assert ours and ours <= rows


def test_the_callback_for_weights_and_biases_logs_a_run(
    tiny: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the package wandb, which keeps what it is told."""
    told: list[Any] = []
    log = SimpleNamespace(log=lambda values, step: told.append((step, values)), finish=lambda: told.append("finish"))
    fake = SimpleNamespace(init=lambda **settings: told.append(settings) or log, Table=lambda columns, data: data)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    [code] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "import wandb" in block]
    names: dict[str, Any] = {"__name__": "s2s_wandb.callback"}
    monkeypatch.setitem(sys.modules, "s2s_wandb.callback", SimpleNamespace())
    exec(code, names)
    callback = names["Wandb"](names["WandbConfig"](project="en-fr"))
    train(tiny(max_steps=3), tmp_path / "first", callbacks=[callback])
    assert told[0]["project"] == "en-fr" and told[0]["id"] == "first" and told[0]["config"]["seed"] == 5
    (step, logged), (last, validated), (_, samples) = told[1:4]
    assert (step, last) == (3, 3) and {"train/loss", "train/padding"} <= set(logged)
    assert {"validation/loss", "validation/chrf"} <= set(validated)
    assert len(samples["samples"]) == 8 and samples["samples"][0][0] == "one one"
    assert told[4:] == ["finish"]
