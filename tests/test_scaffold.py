"""What ``s2s plugins new`` writes, and what it refuses. That it works is tests/plugins/test_new_environment.py."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

import seq2seq_kit
from seq2seq_kit import testing
from seq2seq_kit.components import KINDS
from seq2seq_kit.errors import UserError
from seq2seq_kit.scaffold import SUMMARIES, TEMPLATES, new_plugin


def test_there_is_a_template_of_each_kind() -> None:
    assert set(SUMMARIES) == {*KINDS}
    assert {path.name for path in TEMPLATES.iterdir()} == {*SUMMARIES, "common"}


@pytest.mark.parametrize("kind", SUMMARIES)
def test_what_is_written_is_complete_and_uses_public_names_alone(kind: str, tmp_path: Path) -> None:
    written = new_plugin("s2s-long-name", kind, tmp_path)
    folder = tmp_path / "s2s-long-name"
    assert sorted(written) == sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix() for path in written}
    assert {"pyproject.toml", "README.md", ".github/workflows/test.yml", "config.yaml"} <= names
    assert {f"src/s2s_long_name/{kind}.py", f"tests/test_{kind}.py"} <= names
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "$" not in text.replace("${{ matrix.python }}", "") and text.endswith("\n"), path
        if path.suffix in (".yaml", ".yml"):
            assert yaml.safe_load(text)
        for node in ast.walk(ast.parse(text)) if path.suffix == ".py" else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("seq2seq_kit"):
                public = {"seq2seq_kit": seq2seq_kit.__all__, "seq2seq_kit.testing": testing.__all__}[node.module or ""]
                assert {alias.name for alias in node.names} <= set(public), path
    plugin = (folder / "src" / "s2s_long_name" / "plugin.py").read_text(encoding="utf-8")
    assert 'name="long-name"' in plugin and f':LongName{kind.title()}"' in plugin
    version = re.match(r"\d+\.\d+", seq2seq_kit.__version__)
    assert version and f'"seq2seq_kit>={version[0]},<' in (folder / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "component"),
    [("s2s-gated-attention", "gated"), ("seq2seq-kit-gated", "gated"), ("gated2", "gated2"), ("s2s-a-b", "a-b")],
)
def test_the_component_is_called_as_the_distribution(name: str, component: str, tmp_path: Path) -> None:
    new_plugin(name, "attention", tmp_path)
    plugin = tmp_path / name / "src" / name.replace("-", "_") / "plugin.py"
    assert f'name="{component}"' in plugin.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("Gated", "attention", r"'Gated' cannot be the name of a plugin: write lower-case .* for instance s2s-gated"),
        ("gated_one", "attention", "for instance s2s-gated-one"),
        ("../gated", "attention", "cannot be the name of a plugin"),
        ("-gated", "attention", "a letter first"),
        ("2gated", "attention", "a letter first"),
        ("", "attention", "cannot be the name of a plugin"),
        ("torch", "attention", "torch is a package that is installed here already; choose another"),
        ("lambda", "attention", "lambda is a word of Python's"),
        ("s2s-luong", "attention", r"seq2seq-kit .* has the attention 'luong' already"),
        ("s2s-translate", "task", "'translate', which would be the verb of this task, is a command of s2s"),
        ("s2s-train", "task", "'train', which would be the verb of this task, is a command of s2s"),
        ("s2s-gated", "model", "--kind must be one of encoder, .*, got 'model'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(name: str, kind: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        new_plugin(name, kind, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "s2s-gated").mkdir()
    with pytest.raises(UserError, match=r"s2s-gated: is there already; choose another name"):
        new_plugin("s2s-gated", "attention", tmp_path)
    assert not list((tmp_path / "s2s-gated").iterdir())
