"""The public names: complete for plugin authors, lazy, and known to type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seq2seq_kit
from seq2seq_kit import testing

ROOT = Path(__file__).parents[1]
PACKAGE = Path(seq2seq_kit.__file__)
PUBLIC = {"seq2seq_kit": seq2seq_kit.__all__, "seq2seq_kit.testing": testing.__all__}
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").exists())


def imported_from_the_kit(source: str) -> list[str]:
    """Every module or name of the kit that a module imports, other than its ``PUBLIC`` names."""
    private = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "seq2seq_kit"]
            private += [name for name in names if name != "seq2seq_kit"]
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "seq2seq_kit":
            names = [alias.name for alias in node.names]
            public = PUBLIC.get(node.module or "", [])
            private += [f"{node.module}.{name}" for name in names if name not in public]
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            private += [a.value for a in node.args if isinstance(a, ast.Constant) and "seq2seq_kit." in str(a.value)]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "seq2seq_kit":
            private += [] if node.attr in seq2seq_kit.__all__ else [f"seq2seq_kit.{node.attr}"]
    return private


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_our_plugins_import_public_names_only(plugin: Path) -> None:
    modules = list(plugin.rglob("*.py"))
    assert modules
    private = {str(path.relative_to(ROOT)): imported_from_the_kit(path.read_text(encoding="utf-8")) for path in modules}
    assert not {path: names for path, names in private.items() if names}


@pytest.mark.parametrize(
    "source",
    [
        "from seq2seq_kit.interfaces import Decoder",
        "import seq2seq_kit.registry",
        "from seq2seq_kit import registry",
        "import seq2seq_kit; seq2seq_kit.plugins.load_plugins()",
        "import importlib; importlib.import_module('seq2seq_kit.plugins')",
    ],
)
def test_a_private_import_would_be_found(source: str) -> None:
    assert imported_from_the_kit(source)


def test_every_public_name_can_be_had_and_is_documented() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    for name in seq2seq_kit.__all__:
        assert getattr(seq2seq_kit, name) is not None
        assert name.startswith("_") or f"`{name}`" in page, f"docs/plugins.md does not name {name}"
    for name in testing.__all__:
        assert getattr(testing, name) is not None and f"`{name}`" in page, f"docs/plugins.md does not name {name}"
    with pytest.raises(AttributeError, match="has no attribute 'Encodre'"):
        _ = seq2seq_kit.Encodre


def test_type_checkers_see_the_same_names() -> None:
    [block] = [node for node in ast.parse(PACKAGE.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.name: node.module for node in imports for alias in node.names}
    assert typed == seq2seq_kit._LAZY
    assert (PACKAGE.parent / "py.typed").exists()


def test_importing_the_package_imports_no_dependency() -> None:
    code = "import sys, seq2seq_kit; print([m for m in ('torch', 'pydantic', 'pluggy', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
