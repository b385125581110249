"""Copying as a stranger's plugin, in a throw-away environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.environment import Environment

pytestmark = pytest.mark.long

PLUGIN = Path(__file__).parents[2] / "plugins" / "seq2seq-kit-copy"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(PLUGIN)
    return environment


def test_it_passes_its_checks(environment: Environment) -> None:
    checked = environment.s2s("plugins", "check", "seq2seq-kit-copy")
    assert checked.returncode == 0, checked.stdout


def test_it_passes_its_own_tests(environment: Environment) -> None:
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests", cwd=PLUGIN)
    assert tested.returncode == 0, tested.stdout
    assert " skipped" not in tested.stdout


def test_its_example_and_the_systems_of_its_benchmark_are_valid(environment: Environment) -> None:
    code = """
from pathlib import Path
from benchmarks import summaries
from seq2seq_kit.run_config import load_config
load_config(Path("plugins/seq2seq-kit-copy/example.yaml"))
names = [load_config(Path("benchmarks/configs/summaries.yaml"), [*changes]).model.decoder.name
         for changes in summaries.SYSTEMS.values()]
print(*names)
"""
    done = environment.run("-c", code, cwd=PLUGIN.parents[1])
    assert done.stdout.split() == ["lstm", "copy", "copy", "transformer"], done.stderr
