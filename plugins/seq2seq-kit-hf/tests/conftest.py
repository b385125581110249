"""Checkpoints of every family and the runs that they are imported as, made once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: threads cost more than they give
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test reads the network


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's checkpoint."""
    pytest.importorskip("transformers", reason="writes and runs the checkpoints that these tests compare with")
    pytest.importorskip("sentencepiece", reason="learns the checkpoints' tokenizers")
    import checkpoints

    root = tmp_path_factory.mktemp("checkpoints")

    def write(family: str) -> Path:
        if not (root / family).exists():
            checkpoints.write_checkpoint(family, root / family)
        return root / family

    return write


@pytest.fixture(scope="session")
def run(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run folder that a family's checkpoint is imported as, by the command line."""
    import checkpoints

    root = tmp_path_factory.mktemp("runs")

    def imported(family: str) -> Path:
        if not (root / family).exists():
            languages = zip(("source_language", "target_language"), checkpoints.LANGUAGES.get(family, ()), strict=False)
            settings = [f"--set={name}={code}" for name, code in languages]
            s2s("import", "hf", checkpoint(family), root / family, *settings)
        return root / family

    return imported


def s2s(*arguments: Any) -> None:
    """A command of s2s, in this process; fails the test where the command fails."""
    with pytest.raises(SystemExit) as ended:
        _main()([str(argument) for argument in arguments])
    assert ended.value.code == 0


def _main() -> Callable[[list[str]], None]:
    """What the console script runs."""
    from importlib.metadata import entry_points

    [script] = entry_points(group="console_scripts", name="s2s")
    main: Callable[[list[str]], None] = script.load()
    return main
