"""``docs/tasks.md``: its configurations are valid, its task keeps the contract, its tables name all there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.interfaces import Example, Task
from seq2seq_kit.registry import Registry, build, registry
from seq2seq_kit.run_config import make_config
from seq2seq_kit.testing import check_task

PAGE = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text(encoding="utf-8")
DATA = {"train": ["a.tsv"], "dev": ["b.tsv"]}
MODEL = {"encoder": "gru", "decoder": "gru"}
TASKS = [p.component for p in registry().provided("task") if p.provider.distribution == "seq2seq-kit"]


@pytest.fixture
def with_its_task(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(registry(), "_provided", registry()._provided.copy())
    [code] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "register" in block]
    exec(compile(code, "<docs/tasks.md>", "exec"), {"__name__": "page"})
    return registry()


def test_its_configurations_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        values: dict[str, Any] = yaml.safe_load(block)
        if "tokenizer_from" in values["task"]:  # names a run, which is not there
            continue
        make_config({"data": DATA, "model": MODEL, "training": {"max_steps": 1}, **values}, [], "docs/tasks.md")


def test_it_names_every_task_and_every_metric() -> None:
    for kind in ("task", "metric"):
        for provided in registry().provided(kind):
            if provided.provider.distribution == "seq2seq-kit":
                assert f"`{provided.component.name}`" in PAGE, provided.component.name
    for task in TASKS:
        assert f"`s2s {task.verb}`" in PAGE


def test_what_a_task_may_say_is_what_the_contract_has() -> None:
    table = PAGE.partition("What a task may say beside")[2].partition("\n\n")[2].partition("\n\n")[0]
    names = [name.removesuffix("(") for name in re.findall(r"^\| `(\w+\(?)", table, re.MULTILINE)]
    assert len(names) > 8
    for name in names:
        assert hasattr(Task, name) or name in ("Output", "TaskConfig"), name


def test_its_task_keeps_the_contract(with_its_task: Registry) -> None:
    section = validate(with_its_task.find("task", "titles").component.load_config(), {"name": "titles"}, "test")
    task = build("task", section)
    check_task(task)
    assert task.example({"lines": ["a", "b"]}).source == "a / b"
    assert task.baselines([Example("a / b")]) == {"first line": ["a"]}


@pytest.mark.parametrize("component", TASKS, ids=lambda component: component.name)
def test_our_own_tasks_keep_the_contract(component: Component) -> None:
    config: ComponentConfig = validate(component.load_config(), {"name": component.name}, "test")
    # distinct-n and length read no reference, so that they prefer no output to another
    check_task(build("task", config), skip=["metrics"] if component.name == "dialogue" else [])
