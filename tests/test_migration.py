"""A run of an earlier release of a plugin: migrated, or refused with the version that can read it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seq2seq_kit import Attention, Component, ComponentConfig, Memory, MemorySpec, UserError, load
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.run_config import load_config
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.training.runs import resume, train


class OldConfig(ComponentConfig):
    name: str = "dot"
    width: int = 8


class Old(Attention):
    """Release 1: one matrix for query and key, and a width."""

    def __init__(self, config: OldConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        self.context_size = memory.size
        self.both = nn.Parameter(torch.randn(query_size + memory.size, config.width))
        self.query_size = query_size

    def project(self, memory: Memory) -> TensorDict:
        keys = memory.states @ self.both[self.query_size :]
        return {"keys": keys, "values": memory.states, "mask": memory.mask}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        scores = (query @ self.both[: self.query_size]) @ projected["keys"].transpose(1, 2)
        weights = scores.masked_fill(~projected["mask"].unsqueeze(1), -1e9).softmax(-1)
        return weights @ projected["values"], weights, state


class NewConfig(ComponentConfig):
    name: str = "dot"
    size: int = 8


class New(Attention):
    """Release 2: two linear layers, and the width is called size; it takes over what release 1 saved."""

    def __init__(self, config: NewConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()
        self.context_size = memory.size
        self.query = nn.Linear(query_size, config.size, bias=False)
        self.key = nn.Linear(memory.size, config.size, bias=False)

    def project(self, memory: Memory) -> TensorDict:
        return {"keys": self.key(memory.states), "values": memory.states, "mask": memory.mask}

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Tensor, Tensor, TensorDict]:
        scores = self.query(query) @ projected["keys"].transpose(1, 2)
        weights = scores.masked_fill(~projected["mask"].unsqueeze(1), -1e9).softmax(-1)
        return weights @ projected["values"], weights, state


class Migrating(New):
    @classmethod
    def migrate_config(cls, config: dict[str, Any], from_version: int) -> dict[str, Any]:
        assert from_version == 1
        return {"name": config["name"], "size": config["width"]}

    @classmethod
    def migrate_state(cls, state: dict[str, Tensor], from_version: int) -> dict[str, Tensor]:
        both = state["both"]
        size = 32  # of the decoder of the tests
        return {"query.weight": both[:size].T.contiguous(), "key.weight": both[size:].T.contiguous()}


class Refusing(Migrating):
    @classmethod
    def migrate_state(cls, state: dict[str, Tensor], from_version: int) -> dict[str, Tensor]:
        raise UserError("the keys of release 1 were wrong")


class Failing(Migrating):
    @classmethod
    def migrate_config(cls, config: dict[str, Any], from_version: int) -> dict[str, Any]:
        return {"size": config["wide"]}


class Forgetting(Migrating):
    @classmethod
    def migrate_state(cls, state: dict[str, Tensor], from_version: int) -> Any:
        return None


def _release(target: type, config: type, version: str, state_version: int) -> Any:
    component = Component("attention", "dot", target, config, state_version=state_version)
    return temporary_plugin(component, distribution="s2s-dot", version=version)


@pytest.fixture(scope="module")
def old_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of release 1."""
    run = tmp_path_factory.mktemp("old") / "run"
    overrides = ["model.decoder.attention={name: dot, width: 12}", "training.max_steps=60"]
    with _release(Old, OldConfig, "1.0", 1):
        train(load_config(tiny_config, overrides), run)
        outputs = load(run).translate(["one two", "seven three"])
    (run / "outputs.json").write_text(json.dumps([[output.text, output.score] for output in outputs]))
    return run


@pytest.mark.parametrize("which", ["best", "last"])
def test_an_older_run_is_migrated_and_writes_the_same(old_run: Path, which: Any) -> None:
    with _release(Migrating, NewConfig, "2.0", 2):
        pipeline = load(old_run, which=which)
        assert pipeline.config.model.decoder.attention == NewConfig(size=12)
        outputs = pipeline.translate(["one two", "seven three"])
    if which == "best":
        for output, (text, score) in zip(outputs, json.loads((old_run / "outputs.json").read_text()), strict=True):
            assert output.text == text and output.score == pytest.approx(score, abs=1e-5)


def test_it_can_be_trained_from_and_not_resumed(old_run: Path, tiny_config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(old_run, run)
    overrides = ["model.decoder.attention={name: dot, size: 12}", "training.max_steps=2"]
    with _release(Migrating, NewConfig, "2.0", 2):
        assert train(load_config(tiny_config, overrides), tmp_path / "new", start=run).steps == 2
        before = sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir())
        with pytest.raises(CheckpointError, match=r"but not resumed; for that: pip install s2s-dot==1\.0"):
            resume(run, ["training.max_steps=61"])
        assert sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir()) == before


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (New, r"was saved with state version 1; s2s-dot 2\.0 here reads 2: pip install s2s-dot==1\.0"),
        (Refusing, r"cannot take over: the keys of release 1 were wrong; pip install s2s-dot==1\.0"),
        (Failing, r"cannot take over: migrate_config: KeyError: 'wide'; pip install s2s-dot==1\.0"),
        (Forgetting, r"cannot take over: migrate_state returns a NoneType, not a mapping; pip install"),
    ],
)
def test_what_cannot_be_migrated_names_the_version_that_can_read_it(old_run: Path, target: type, sentence: str) -> None:
    with _release(target, NewConfig, "2.0", 2), pytest.raises(CheckpointError, match=sentence):
        load(old_run)


def test_nothing_is_migrated_where_the_state_version_is_the_same(old_run: Path) -> None:
    with _release(Migrating, NewConfig, "1.1", 1), pytest.raises(CheckpointError, match="there is no field 'width'"):
        load(old_run)


def test_a_run_of_a_later_release_names_the_version_that_can_read_it(tiny_config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with _release(Migrating, NewConfig, "3.0", 3):
        train(load_config(tiny_config, ["model.decoder.attention=dot", "training.max_steps=1"]), run)
    with (
        _release(Migrating, NewConfig, "2.0", 2),
        pytest.raises(
            CheckpointError, match=r"with state version 3; s2s-dot 2\.0 here reads 2: pip install s2s-dot==3\.0"
        ),
    ):
        load(run)


def test_where_only_the_configuration_changed_a_run_is_resumed(tiny_config: Path, tmp_path: Path) -> None:
    class Renamed(Old):
        def __init__(self, config: NewConfig, query_size: int, memory: MemorySpec) -> None:
            super().__init__(OldConfig(width=config.size), query_size, memory)

        migrate_config = Migrating.migrate_config

    run = tmp_path / "run"
    with _release(Old, OldConfig, "1.0", 1):
        train(load_config(tiny_config, ["model.decoder.attention=dot", "training.max_steps=1"]), run)
    with _release(Renamed, NewConfig, "2.0", 2):
        assert resume(run, ["training.max_steps=2"]).steps == 2
        manifest = json.loads((run / "checkpoint.json").read_text(encoding="utf-8"))
        [saved] = [one for one in manifest["components"] if one["name"] == "dot"]
        assert (saved["version"], saved["state_version"]) == ("2.0", 2)
        assert manifest["config"]["model"]["decoder"]["attention"] == {"name": "dot", "size": 8}
        assert load(run).translate(["one"])
