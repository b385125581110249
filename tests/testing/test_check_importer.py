"""The tester of importers passes a sound one, and names each fault that is planted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Imported, Importer
from seq2seq_kit.scaffold import new_plugin
from seq2seq_kit.testing import ContractError, check_importer, temporary_plugin


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The importer that ``s2s plugins new`` writes, its components lent to this process."""
    parent = tmp_path_factory.mktemp("new")
    new_plugin("s2s-toy-importer", "importer", parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(parent / "s2s-toy-importer" / "src"))
        components = import_module("s2s_toy_importer.plugin").register_components()
        with temporary_plugin(*components, distribution="s2s-toy-importer"):
            yield import_module("s2s_toy_importer.importer")


@pytest.fixture(scope="module")
def checkpoint(module: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder, size, words = tmp_path_factory.mktemp("checkpoint"), 4, ["<pad>", "<s>", "</s>", "<unk>", "one", "two"]
    shapes = {"embedding": (len(words), size), "input": (3 * size, size), "state": (3 * size, size)}
    shapes |= {"bias": (3 * size,), "combine": (size, 2 * size), "output": (len(words), size)}
    shapes["output_bias"] = (len(words),)
    keys = {name: name if name in shapes else re.split(r"[._]", name)[-1] for name in module.NAMES}
    save_file({name: torch.randn(shapes[key]) for name, key in keys.items()}, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps({"size": size}), encoding="utf-8")
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return folder


def planted(module: ModuleType, **methods: Any) -> Importer:
    return type("Planted", (module.ToyImporter,), methods)(module.ToyImporterConfig())


def changed(**fields: Any) -> Any:
    """A ``read`` that gives something else for some fields."""

    def read(self: Any, source: str) -> Any:
        imported = super(type(self), self).read(source)
        return replace(imported, **{name: change(imported) for name, change in fields.items()})

    return read


def crashes(self: Any, source: str) -> Any:
    return json.loads((Path(source) / "config.json").read_text())


def trusts(self: Any, source: str) -> Any:
    try:
        return super(type(self), self).read(source)
    except UserError:
        return Imported({}, {})


def writes_zeros(self: Any, run: Any, folder: Path) -> None:
    super(type(self), self).write(run, folder)
    weights = load_file(folder / "weights.safetensors")
    save_file({name: torch.zeros_like(x) for name, x in weights.items()}, folder / "weights.safetensors")


def refuses(self: Any, run: Any, folder: Path) -> None:
    raise UserError("no such model there")


WITHOUT_BIAS = {"tensors": lambda imported: {n: x for n, x in imported.tensors.items() if n[-4:] != "bias"}}
DRAWN = {"tensors": lambda imported: {n: x + torch.rand(1) for n, x in imported.tensors.items()}}
PLANTED: list[tuple[dict[str, Any], str, str]] = [
    ({"read": crashes}, "missing", "where there is no file of that name, read raises FileNotFoundError: .*UserError"),
    ({"read": trusts}, "missing", "where there is no file of that name, read gives a checkpoint"),
    ({"read": changed(facts=lambda _: {"seen": Path()})}, "read", "facts has what cannot be written as JSON"),
    ({"read": changed(config=lambda i: {"task": i.config["task"]})}, "read", "config has no section 'model'"),
    ({"read": changed(tensors=lambda _: {"a": [1.0]})}, "read", "tensors has a list called 'a'"),
    (
        {"read": changed(tensors=lambda i: {n: x + torch.rand(1) for n, x in i.tensors.items()})},
        "same",
        "another decoder",
    ),
    ({"read": changed(**WITHOUT_BIAS)}, "run", "makes no run: .*missing: "),
    ({"read": changed(config=lambda i: {**i.config, "serch": {}})}, "run", "makes no run: .*did you mean 'search'"),
    ({"write": writes_zeros}, "write", "written and read again, it has another decoder"),
    ({"write": refuses}, "write", "what it has read cannot be written: no such model there"),
]


@pytest.mark.parametrize(("methods", "check", "sentence"), PLANTED, ids=[f"{p[1]}-{i}" for i, p in enumerate(PLANTED)])
def test_a_planted_fault_is_named_by_one_sentence(
    module: ModuleType, checkpoint: Path, methods: dict[str, Any], check: str, sentence: str
) -> None:
    with pytest.raises(ContractError) as caught:
        check_importer(planted(module, **methods), checkpoint)
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


def test_a_sound_importer_passes(module: ModuleType, checkpoint: Path) -> None:
    assert {finding.verdict for finding in check_importer(planted(module), checkpoint).findings} == {"ok"}
    verdicts = [finding.verdict for finding in check_importer(planted(module)).findings]
    assert verdicts == ["ok", *["not checked"] * 4]
    only_reads = check_importer(planted(module, write=Importer.write), checkpoint)
    assert only_reads["write"].detail == "it only imports"


def test_unusable_arguments_get_a_sentence(module: ModuleType) -> None:
    with pytest.raises(UserError, match=r"is given a str; it checks a seq2seq_kit.Importer"):
        check_importer("hf")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no check 'reads' to skip; there are missing, "):
        check_importer(planted(module), skip=["reads"])
