"""docs/criteria.md: its configurations are valid, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny_models import TARGET, member, tiny_batch

from seq2seq_kit import register
from seq2seq_kit.builtin import register_components
from seq2seq_kit.components import Component
from seq2seq_kit.config import Config, component_field, validate
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import TrainingConfig

PAGE = (Path(__file__).parents[2] / "docs" / "criteria.md").read_text(encoding="utf-8")


class Section(Config):
    criterion: component_field("criterion")  # type: ignore[valid-type]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("text", [line for block in blocks("yaml") for line in block.splitlines()])
def test_the_configurations_are_valid(text: str) -> None:
    [(name, section)] = yaml.safe_load(text).items()
    if name == "criterion":
        validate(Section, {name: section}, "docs")
    else:
        validate(TrainingConfig, {"max_steps": 1, **section}, "docs")


@pytest.mark.parametrize(("name", "prefix", "index"), [("focal", "Focal", 1), ("peaked", "Peaked", 2)])
def test_the_code_makes_a_criterion_that_trains(name: str, prefix: str, index: int) -> None:
    found: dict[str, Any] = {"__name__": f"docs_{name}"}
    exec(compile(blocks("python")[index], "docs/criteria.md", "exec", dont_inherit=True), found)
    register(Component("criterion", name, found[prefix], found[f"{prefix}Config"]))
    own = build("criterion", validate(Section, {"criterion": name}, "docs").criterion, TARGET)
    model, batch = member("gru", "gru", "bahdanau").train(), tiny_batch((5, 3, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    before = own.objective(model, batch)
    before.loss.backward()
    optimizer.step()
    assert own.objective(model, batch).loss < before.loss
    assert before.tokens == 15 and before.nll > 0


def test_the_training_text_is_written_for_the_aligner(
    tiny_run: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(tiny_run)
    (tmp_path / "train.tsv").write_bytes(tiny_data.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[0], "docs/criteria.md", "exec", dont_inherit=True), {})
    pairs = [line.split("\t") for line in tiny_data.read_text().splitlines()]
    written = [line.split(" ||| ") for line in (tmp_path / "train.ids").read_text().splitlines()]
    assert len(written) == len(pairs)
    for ids, texts in zip(written, pairs, strict=True):  # words are tokens here
        assert [len(side.split()) for side in ids] == [len(text.split()) for text in texts]


def test_every_built_in_criterion_is_named() -> None:
    for component in register_components():
        if component.kind == "criterion":
            assert f"| `{component.name}` |" in PAGE
