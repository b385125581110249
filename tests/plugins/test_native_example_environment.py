"""A stranger's compiled decoder: built by pip with the installed headers and CMake package, and decoded without
Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.environment import Environment

pytestmark = pytest.mark.long

PLUGIN = Path(__file__).parents[2] / "plugins" / "seq2seq-kit-native-example"

pytest.importorskip("scikit_build_core", reason="the plugin is built with scikit-build-core")
if not (shutil.which("cmake") and shutil.which("c++")):
    pytest.skip("the plugin needs CMake and a C++ compiler", allow_module_level=True)


def test_it_builds_and_passes_its_checks_and_its_own_tests(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "environment")
    environment.install(PLUGIN)
    checked = environment.s2s("plugins", "check", "seq2seq-kit-native-example")
    assert checked.returncode == 0, checked.stdout
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests", cwd=PLUGIN)
    assert tested.returncode == 0, tested.stdout
