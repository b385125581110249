"""Reading classes without importing them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from seq2seq_kit.errors import PluginError
from seq2seq_kit.source import find_class, find_module

BASE = '''
raise ImportError("this module must not be imported")
from typing import Annotated, ClassVar, Literal
from seq2seq_kit import ComponentConfig, component_field
from pydantic import Field
from {package}.names import Mode

Rate = Annotated[float, Field(ge=0)]

class BaseConfig(ComponentConfig):
    size: int = Field(default=8, ge=1, lt=100)
    """Width
    of it."""
    rate: Rate = 0.5
    _private = 3
    shared: ClassVar[int] = 7
'''
CHILD = '''
"""A module."""
from .base import BaseConfig
from .names import Mode
from seq2seq_kit import component_field

class Config(BaseConfig):
    """A thing to configure."""

    name: str = "thing"
    mode: Mode = "fast"
    attention: component_field("attention") = {"name": "luong"}
    """What to look up with."""
    steps: int
    """How many."""
    parts: list[component_field("metric")] = []
    size: int | None = None
    """Redefined."""

if True:
    class Conditional(Config):
        pass
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"made_up_{tmp_path.name.rstrip('0123456789').replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('nor this one')", encoding="utf-8")
    (folder / "base.py").write_text(BASE.format(package=name), encoding="utf-8")
    (folder / "names.py").write_text('from typing import Literal\nMode = Literal["fast", "slow"]\n', encoding="utf-8")
    (folder / "child.py").write_text(CHILD, encoding="utf-8")
    (folder / "wrong.py").write_text("class Broken(:\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_fields_are_read_with_types_defaults_limits_and_docstrings(package: str) -> None:
    found = find_class(f"{package}.child:Config")
    assert found is not None and found.doc == "A thing to configure."
    fields = {field.name: (field.type, field.default, field.doc) for field in found.fields}
    assert fields == {
        "name": ("str", "thing", ""),
        "size": ("int | None", "null", "Redefined."),
        "rate": ("float", "0.5", ""),
        "mode": ("fast | slow", "fast", ""),
        "attention": ("attention component", "{name: luong}", "What to look up with."),
        "steps": ("int", None, "How many."),
        "parts": ("list[metric component]", "[]", ""),
    }
    assert found.bases[:2] == ("BaseConfig", "ComponentConfig")
    assert not any(name.startswith(package) for name in sys.modules)  # nothing of it was imported
    base = find_class(f"{package}.base:BaseConfig")
    assert base is not None
    assert {f.name: (f.type, f.default, f.doc) for f in base.fields}["size"] == ("int, ≥ 1, < 100", "8", "Width of it.")


def test_what_is_not_there_is_not_found(package: str) -> None:
    assert find_class(f"{package}.child:Nothing") is None
    assert find_class(f"{package}.nowhere:Config") is None
    assert find_class("no_such_package:Config") is None
    assert find_class(f"{package}.child:Conditional") is not None


def test_a_module_that_does_not_compile_is_named(package: str) -> None:
    with pytest.raises(PluginError, match=r"wrong\.py, line 1: "):
        find_class(f"{package}.wrong:Broken")


def test_modules_are_found_where_an_import_finds_them(package: str) -> None:
    for name in ("seq2seq_kit.decoders.recurrent", "json.decoder", "sys", f"{package}.child"):
        spec = find_module(name)
        assert spec is not None and spec.name == name
    assert find_module("json.nothing") is None


def test_a_class_that_hides_its_base_of_the_same_name(package: str, tmp_path: Path) -> None:
    text = "from .child import Config\nclass Config(Config):\n    more: int = 1\n"
    (tmp_path / package / "same.py").write_text(text, encoding="utf-8")
    found = find_class(f"{package}.same:Config")
    assert found is not None and [f.name for f in found.fields][-1] == "more" and len(found.fields) == 8


def test_the_fields_read_are_those_that_pydantic_has() -> None:
    from seq2seq_kit.registry import registry

    for provided in registry().plugins.provided:  # not what other tests registered
        config_class = provided.load_config()
        if config_class is not None:
            found = find_class(provided.component.config or "")
            assert found is not None
            assert [field.name for field in found.fields] == list(config_class.model_fields), provided.qualified_name
