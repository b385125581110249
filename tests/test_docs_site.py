"""The documentation: its references are what the code makes them, its tutorial works, and the site builds by itself."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from seq2seq_kit import MemorySpec
from seq2seq_kit.run_config import load_config
from seq2seq_kit.scaffold import new_plugin
from seq2seq_kit.testing import ContractError, check_attention, temporary_plugin
from seq2seq_kit.training.runs import train

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "new-attention.md").read_text(encoding="utf-8")
ATTENTION, FORGETFUL = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
NAME, MEMORY, QUERY_SIZE = "s2s-coverage-attention", MemorySpec(size=8), 6

MAKE_PAGES = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("reference_pages", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
same = {name: make() == (module.DOCS / name).read_text(encoding="utf-8") for name, make in module.PAGES.items()}
print(json.dumps(same))
"""


def test_the_references_are_those_of_the_code() -> None:
    """In a process of its own, where no plugin adds anything."""
    command = [sys.executable, "-c", MAKE_PAGES, str(ROOT / "build_tools" / "reference_pages.py")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '{"commands.md": true, "contracts.md": true}', "run `make docs`"


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module of the tutorial, in the distribution that it begins with."""
    parent = tmp_path_factory.mktemp("tutorial")
    new_plugin(NAME, "attention", parent)
    source = parent / NAME / "src"
    (source / "s2s_coverage_attention" / "attention.py").write_text(ATTENTION, encoding="utf-8")
    sys.path.insert(0, str(source))
    try:
        yield import_module("s2s_coverage_attention.attention")
    finally:
        sys.path.remove(str(source))


def test_the_attention_of_the_tutorial_keeps_the_contract(tutorial: ModuleType) -> None:
    attention = tutorial.CoverageAttention(tutorial.CoverageAttentionConfig(size=4), QUERY_SIZE, MEMORY)
    report = check_attention(attention, MEMORY, QUERY_SIZE)
    assert {finding.verdict for finding in report.findings} == {"ok"}


def test_the_mistake_of_the_tutorial_is_named_as_it_says(tutorial: ModuleType) -> None:
    names = dict(vars(tutorial))
    exec(FORGETFUL, names)
    attention = names["Forgetful"](tutorial.CoverageAttentionConfig(size=4), QUERY_SIZE, MEMORY)
    with pytest.raises(ContractError) as caught:
        check_attention(attention, MEMORY, QUERY_SIZE)
    said = str(caught.value).splitlines()[:2]
    assert "\n".join(said) in TUTORIAL, said


def test_the_attention_of_the_tutorial_trains(
    tutorial: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = import_module("s2s_coverage_attention.plugin")
    monkeypatch.chdir(Path(plugin.__file__ or "").parents[2])
    overrides = ["training.max_steps=2", "training.attention_pictures=true"]
    with temporary_plugin(*plugin.register_components(), distribution=NAME):
        train(load_config(Path("config.yaml"), overrides), tmp_path / "run")
    assert list((tmp_path / "run" / "attention").iterdir())


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="the site needs pip install 'seq2seq_kit[docs]'")
def test_the_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))  # and the page for what is not found
    loaded = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"')
    assert not [url for page in pages for url in loaded.findall(page.read_text(encoding="utf-8"))]
