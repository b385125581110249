"""docs/plugins.md: every hook is in it, and its 40-line plugin works as it stands."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from support.environment import Environment

from seq2seq_kit import hookspecs
from seq2seq_kit.components import KINDS, Component

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
    files = dict(re.findall(r"\n`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL))
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
