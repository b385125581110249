"""docs/plugins.md: every hook is in it, and its 40-line plugin works as it stands."""

from __future__ import annotations

import inspect
import re
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.environment import Environment

from seq2seq_kit import Callback, hookspecs
from seq2seq_kit.components import KINDS, Component
from seq2seq_kit.run_config import load_config
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.training.log import read_metrics
from seq2seq_kit.training.runs import resume, train

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = {name: value for name, value in vars(hookspecs).items() if hasattr(value, "seq2seq_kit_spec")}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_arguments(name: str) -> None:
    arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
    heading = f"### `{name}({arguments})`\n"
    assert heading in PAGE
    text = PAGE.split(heading)[1].split("\n##")[0]
    for argument in inspect.signature(HOOKS[name]).parameters:
        assert f"`{argument}`" in text
    assert (HOOKS[name].__doc__ or "").strip()


def test_every_field_and_kind_of_a_component_is_documented() -> None:
    for name in inspect.signature(Component).parameters:
        assert f"\n| `{name}` | " in PAGE
    for kind in KINDS:
        assert f"`{kind}`" in PAGE


def test_the_plugin_on_the_page_installs_and_trains(tiny_config: Path, tmp_path: Path) -> None:
    section = PAGE.split("\n## A plugin in 40 lines\n")[1].split("\n## ")[0]
    files = dict(re.findall(r"\n`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)```", section, flags=re.DOTALL))
    assert set(files) == {"pyproject.toml", "s2s_gated/plugin.py", "s2s_gated/gated.py"}
    code = [line for name, text in files.items() if name.endswith(".py") for line in text.splitlines() if line.strip()]
    assert len(code) <= 40
    for name, text in files.items():
        path = tmp_path / "s2s-gated" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "s2s-gated" / "s2s_gated" / "__init__.py").touch()
    environment = Environment(tmp_path / "environment")
    environment.install(tmp_path / "s2s-gated")

    checked = environment.s2s("plugins", "check", "s2s-gated")
    assert checked.returncode == 0, checked.stdout
    run = tmp_path / "run"
    choice = ["--set", "model.decoder.attention=gated", "--set", "training.max_steps=100"]
    trained = environment.s2s("train", tiny_config, "--out", run, *choice)
    assert trained.returncode == 0, trained.stderr
    translated = environment.s2s("translate", run, input="one two\n")
    assert translated.stdout == "un deux\n", translated.stderr


def test_every_hook_of_a_callback_is_documented_with_its_arguments() -> None:
    for name, hook in vars(Callback).items():
        if name.startswith("on_"):
            arguments = ", ".join([*inspect.signature(hook).parameters][1:])
            assert f"\n| `{name}({arguments})` | " in PAGE


def test_the_experiment_tracker_on_the_page_keeps_runs(tiny_config: Path, tmp_path: Path) -> None:
    section = PAGE.split("\n### An experiment tracker in 40 lines\n")[1]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    module = ModuleType("s2s_tracker.tracker")
    exec(compile(code, "tracker.py", "exec"), vars(module))
    file = tmp_path / "runs.sqlite"

    def status(run: str) -> str:
        with sqlite3.connect(file) as db:
            [[found]] = db.execute("select status from runs where run = ?", (str(tmp_path / run),))
            return str(found)

    class Break(Callback):
        def on_step(self, trainer: Any, step: Any) -> None:
            raise ZeroDivisionError

    with temporary_plugin(Component("callback", "tracker", module.Tracker, module.TrackerConfig)):
        chosen = f"training.callbacks=[{{name: tracker, file: {file}}}]"
        config = load_config(tiny_config, ["training.max_steps=4", "training.validate_every=4", chosen])
        train(config, tmp_path / "good")
        assert status("good") == "reached max_steps (4)"
        with pytest.raises(ZeroDivisionError):
            train(config, tmp_path / "bad", callbacks=[Break()])
        assert status("bad") == "failed: ZeroDivisionError()"
        resume(tmp_path / "bad")
        assert status("bad") == "reached max_steps (4)"
    with sqlite3.connect(file) as db:
        found = db.execute("select run, step, value from numbers where name = 'validation/chrf'").fetchall()
    [logged] = [r for r in read_metrics(tmp_path / "good" / "metrics.jsonl") if r["kind"] == "validation"]
    assert sorted(found) == [(str(tmp_path / run), 4, logged["chrf"]) for run in ("bad", "good")]
