"""A third party's StepModel in C++, built with the installed headers, searched by the engine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit import NativeStep, SearchError, SearchOptions, cmake_dir, search

SOURCE = Path(__file__).parent / "step_model"

if not (shutil.which("cmake") and shutil.which("ninja") and shutil.which("c++")):
    pytest.skip("building needs CMake, Ninja and a C++ compiler", allow_module_level=True)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The compiled module."""
    build = tmp_path_factory.mktemp("step_model")
    settings = [f"-Dseq2seq_kit_DIR={cmake_dir()}", f"-DPython_EXECUTABLE={sys.executable}", "-DCMAKE_BUILD_TYPE=Debug"]
    for command in (["cmake", "-G", "Ninja", "-S", SOURCE, "-B", build, *settings], ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    [library] = build.glob("step_model*.so")
    spec = importlib.util.spec_from_file_location("step_model", library)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_it_is_searched(module: Any) -> None:
    step = NativeStep(module.begin(6))
    options = SearchOptions(beam_size=4, n_best=2, bos_id=1, eos_ids=(0,), max_length=9, attention=True)
    for _ in range(2):  # it is begun anew by every search
        for best in search(step, options=options, batch_size=3):
            assert best[0].tokens == [2, 3, 4, 5, 0]
            assert best[1].tokens != best[0].tokens
            assert best[0].attention is not None and best[0].attention.tolist() == [[1.0]] * 5
    greedy = SearchOptions(beam_size=1, bos_id=1, eos_ids=(0,))
    assert [best[0].tokens for best in search(step, options=greedy, batch_size=2)] == [[2, 3, 4, 5, 0]] * 2


def test_what_it_throws_is_a_sentence(module: Any) -> None:
    with pytest.raises(SearchError, match="counting needs two tokens"):
        search(NativeStep(module.begin(1)), options=SearchOptions(), batch_size=1)


def test_one_of_another_interface_is_refused(module: Any) -> None:
    with pytest.raises(
        SearchError, match=r"the capsule is '.*interface 0, torch 1\.0', expected '.*interface 2, torch 2"
    ):
        NativeStep(module.of_another_interface())
    with pytest.raises(TypeError):
        NativeStep(3)
