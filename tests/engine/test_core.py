"""The native tests of the torch-free core, under sanitizers (`make sanitize`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]  # compiles the core twice

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


@pytest.mark.skipif(shutil.which("cmake", path=PATH) is None, reason="needs CMake")
@pytest.mark.skipif(shutil.which("c++", path=PATH) is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    ("sanitizer", "target", "tests"),
    [("address", "all", "."), ("thread", "test_parallel", "^parallel$")],  # the other tests have one thread
    ids=["address and undefined behaviour", "thread"],
)
def test_native_tests_pass_under_sanitizers(sanitizer: str, target: str, tests: str, tmp_path: Path) -> None:
    settings = ["-DSEQ2SEQ_KIT_EXTENSION=OFF", "-DSEQ2SEQ_KIT_TESTS=ON", f"-DSEQ2SEQ_KIT_SANITIZE={sanitizer}"]
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(tmp_path), *settings],
        ["cmake", "--build", str(tmp_path), "--parallel", "2", "--target", target],
        ["ctest", "--test-dir", str(tmp_path), "--output-on-failure", "-R", tests],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, "PATH": PATH})
        assert done.returncode == 0, done.stdout + done.stderr
    assert "100% tests passed" in done.stdout
