"""The run folder: what was saved comes back, and what is damaged, missing or foreign is named."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seq2seq_kit import checkpoint, manifest
from seq2seq_kit.attention.luong import LuongAttention, LuongAttentionConfig
from seq2seq_kit.checkpoint import load_run, load_weights, save_weights, weights
from seq2seq_kit.components import Component
from seq2seq_kit.config import component_sections
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.manifest import read_manifest
from seq2seq_kit.model import build_model
from seq2seq_kit.plugins import BrokenPlugin, Plugins, Provided, Provider
from seq2seq_kit.registry import Registry, registry
from seq2seq_kit.run_config import load_config
from seq2seq_kit.sealed import read_json, read_tensors, write_json, write_tensors


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A trained run to damage."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def edit_manifest(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    values = read_json(run / "checkpoint.json")
    change(values)
    write_json(run / "checkpoint.json", values)


def component(values: dict[str, Any], path: str) -> dict[str, Any]:
    return next(c for c in values["components"] if c["path"] == path)


def use_registry(monkeypatch: pytest.MonkeyPatch, *more: Provided, **plugins: Any) -> None:
    """A registry with the built-in components and some others, for :mod:`checkpoint` alone."""
    present = replace(registry().plugins, provided=[*registry().plugins.provided, *more], **plugins)
    for module in (checkpoint, manifest):
        monkeypatch.setattr(module, "registry", lambda: Registry(present))


def test_the_best_and_the_last_weights_come_back(run: Path) -> None:
    for which, name, prefix in (("best", "model.safetensors", ""), ("last", "training.safetensors", "model.")):
        loaded = load_run(run, which)  # type: ignore[arg-type]
        tensors, facts = read_tensors(run / name)
        state = loaded.model.state_dict()
        assert all(torch.equal(tensor, tensors[prefix + key]) for key, tensor in state.items())
        assert loaded.facts == facts
    assert load_run(run).facts["metrics"]["bleu"] >= 0


@pytest.mark.parametrize("which", ["best", "last"])
def test_weights_are_read_where_they_lie(run: Path, monkeypatch: pytest.MonkeyPatch, which: Any) -> None:
    """Without a second copy in memory, unless a module takes its own over in a way of its own."""
    seen: dict[str, torch.Tensor] = {}

    def spy(*arguments: Any) -> Any:
        found = read_tensors(*arguments)
        seen.update(found[0])
        return found

    monkeypatch.setattr(checkpoint, "read_tensors", spy)
    state = load_run(run, which).model.state_dict()
    assert seen.keys() == state.keys()
    assert all(tensor.data_ptr() == state[key].data_ptr() for key, tensor in seen.items())

    class Halving(nn.Linear):
        def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
            halved = {key: x / 2 for key, x in state_dict.items() if key.startswith(prefix)}
            super()._load_from_state_dict(halved, prefix, *arguments)

    def with_own_way(*arguments: Any, **more: Any) -> Any:
        model = build_model(*arguments, **more)
        model.decoder.output_layer.__class__ = Halving
        return model

    monkeypatch.setattr(checkpoint, "build_model", with_own_way)
    own_way = load_run(run, which).model.state_dict()
    for key, tensor in own_way.items():
        factor = 0.5 if key.startswith("decoder.output_layer.") else 1.0
        assert torch.equal(tensor, state[key] * factor)
    assert all(tensor.data_ptr() != own_way[key].data_ptr() for key, tensor in seen.items())


def test_the_configuration_comes_back(run: Path, tiny_config: Path) -> None:
    assert load_run(run).config == load_config(tiny_config)


def test_the_manifest_names_every_component_and_needs_no_plugin(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_registry() -> None:
        raise AssertionError("reading a manifest must not look for plugins")

    config = load_run(run).config
    for module in (checkpoint, manifest):
        monkeypatch.setattr(module, "registry", no_registry)
    found = read_manifest(run)
    assert [(c.path, c.kind) for c in found.components] == [(p, k) for p, k, _ in component_sections(config)]
    paths = {c.path: str(c) for c in found.components}
    assert paths["model.decoder.attention"].startswith("attention 'luong' of seq2seq-kit ")
    assert "task.source_tokenizer" in paths and "training.schedule" in paths
    assert found.torch_version == torch.__version__
    plain = json.loads((run / "checkpoint.json").read_text(encoding="utf-8"))  # anybody can read it
    assert plain["config"]["model"]["encoder"]["size"] == 32


def test_nothing_is_pickled(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: object, **more: object) -> None:
        raise AssertionError("unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, forbidden)
    load_run(run, "best")
    load_run(run, "last")
    suffixes = {path.suffix for path in run.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".jsonl", ".safetensors", ".png", ".arrow"}  # Arrow: the encoded training data


def test_missing_and_foreign_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none: there is no such run folder"):
        load_run(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"is not a run folder: it holds no checkpoint\.json"):
        load_run(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="is not a run folder but a file"):
        load_run(tmp_path / "file")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizers"])
def test_missing_files_are_named(run: Path, name: str) -> None:
    path = run / name
    if path.is_dir():
        path = sorted(path.iterdir())[0]
    path.unlink()
    with pytest.raises(CheckpointError, match=rf"{path.name}: there is"):
        load_run(run)


def test_before_the_first_validation_there_is_only_the_last_state(run: Path) -> None:
    (run / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="the first validation writes it"):
        load_run(run, "best")
    load_run(run, "last")


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
@pytest.mark.parametrize("name", ["checkpoint.json", "model.safetensors", "training.safetensors", "tokenizers"])
def test_damage_in_any_file_is_named(run: Path, name: str, damage: str) -> None:
    which = "last" if name == "training.safetensors" else "best"
    for path in sorted((run / name).iterdir()) if (run / name).is_dir() else [run / name]:
        good = path.read_bytes()
        positions = range(0, len(good), max(1, len(good) // 40)) if damage == "flip" else [len(good) // 2]
        for position in positions:
            flipped = bytearray(good)
            flipped[position] ^= 1 << (position % 8)
            path.write_bytes({"flip": bytes(flipped), "truncate": good[:position], "empty": b""}[damage])
            with pytest.raises(CheckpointError, match=path.name):
                load_run(run, which)  # type: ignore[arg-type]
        path.write_bytes(good)
    load_run(run, which)  # type: ignore[arg-type]


def test_a_newer_format_is_refused_with_who_wrote_it(run: Path) -> None:
    edit_manifest(run, lambda values: values.update(format=99, kit_version="9.1.0"))
    with pytest.raises(CheckpointError, match=r"has format 99, written by seq2seq_kit 9\.1\.0"):
        load_run(run)


def test_a_component_that_is_not_installed_is_named_with_what_to_type(run: Path) -> None:
    def from_elsewhere(values: dict[str, Any]) -> None:
        component(values, "model.encoder").update(name="conv", distribution="seq2seq-kit-conv", version="0.4.2")
        values["config"]["model"]["encoder"] = {"name": "conv", "kernel": 3}

    edit_manifest(run, from_elsewhere)
    with pytest.raises(CheckpointError) as error:
        load_run(run)
    message = str(error.value)
    assert "encoder 'conv' of seq2seq-kit-conv 0.4.2" in message
    assert "pip install seq2seq-kit-conv==0.4.2" in message
    assert read_manifest(run).config["model"]["encoder"]["kernel"] == 3  # what it is can still be read


def test_disabled_and_broken_plugins_are_not_called_missing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_elsewhere(values: dict[str, Any]) -> None:
        component(values, "model.encoder").update(name="conv", distribution="other", version="1")

    edit_manifest(run, from_elsewhere)
    use_registry(monkeypatch, disabled=["other"])
    with pytest.raises(CheckpointError, match="disabled by S2S_DISABLE_PLUGINS"):
        load_run(run)
    use_registry(monkeypatch, broken=[BrokenPlugin(Provider("other", "1", "main"), "ImportError: no cuda")])
    with pytest.raises(CheckpointError, match="cannot be used: ImportError: no cuda"):
        load_run(run)


def test_another_state_version_names_the_version_that_wrote_it(run: Path) -> None:
    edit_manifest(run, lambda values: component(values, "model.decoder").update(state_version=7, version="9.0"))
    with pytest.raises(CheckpointError) as error:
        load_run(run)
    message = str(error.value)
    assert "decoder 'gru' of seq2seq-kit 9.0" in message and "state version 7" in message
    assert "pip install seq2seq-kit==9.0" in message


def test_a_component_of_a_program_asks_for_its_registration(run: Path) -> None:
    edit_manifest(run, lambda values: component(values, "model.encoder").update(name="mine", distribution="script"))
    with pytest.raises(CheckpointError, match=r"register\(\.\.\.\)"):
        load_run(run)


def test_a_name_that_became_ambiguous_still_means_the_same_component(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(LuongAttention):
        pass

    rival = Component("attention", "luong", Other, LuongAttentionConfig)
    present = registry().plugins
    plugins = Plugins(
        present.manager, present.providers, [*present.provided, Provided(rival, Provider("rival", "1", "main"))]
    )
    both = Registry(plugins)
    for module in ("seq2seq_kit.checkpoint", "seq2seq_kit.manifest", "seq2seq_kit.registry"):
        monkeypatch.setattr(f"{module}.registry", lambda: both)
    loaded = load_run(run)
    assert type(loaded.model.decoder.attention) is LuongAttention


def test_weights_of_another_model_are_refused(run: Path) -> None:
    tensors, facts = read_tensors(run / "model.safetensors")
    name = next(iter(tensors))
    write_tensors(run / "model.safetensors", {**tensors, name: torch.zeros(1, 2, 3)}, facts)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: does not fit .*{name}"):
        load_run(run)
    write_tensors(run / "model.safetensors", {n: t for n, t in tensors.items() if n != name}, facts)
    with pytest.raises(CheckpointError, match=f"missing: {name}"):
        load_run(run)
    write_tensors(run / "model.safetensors", {**tensors, "mystery": torch.zeros(1)}, facts)
    with pytest.raises(CheckpointError, match="unexpected: mystery"):
        load_run(run)


def test_tied_weights_are_saved_once_and_stay_tied(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(5, 3)
            self.output = nn.Linear(3, 5)
            self.output.weight = self.embedding.weight

    model, other = Tied(), Tied()
    save_weights(tmp_path, model, {})
    tensors, _ = read_tensors(tmp_path / "model.safetensors")
    assert set(tensors) == set(weights(model)) == {"embedding.weight", "output.bias"}
    load_weights(other, tensors, tmp_path)
    assert torch.equal(other.output.weight, model.embedding.weight)
    assert other.output.weight is other.embedding.weight
