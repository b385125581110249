"""Hugging Face's models as a stranger's plugin, in a throw-away environment: installing it is all it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.environment import Environment

pytestmark = pytest.mark.long

PLUGIN = Path(__file__).parents[2] / "plugins" / "seq2seq-kit-hf"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(PLUGIN)
    return environment


def test_it_passes_its_checks(environment: Environment) -> None:
    checked = environment.s2s("plugins", "check", "seq2seq-kit-hf")
    assert checked.returncode == 0, checked.stdout


def test_it_passes_its_own_tests(environment: Environment) -> None:
    """Those that run models of transformers itself are skipped where that is not installed."""
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests", cwd=PLUGIN)
    assert tested.returncode == 0, tested.stdout
    passed = int(tested.stdout.split(" passed")[0].split()[-1].lstrip("("))
    assert passed >= 29, tested.stdout
