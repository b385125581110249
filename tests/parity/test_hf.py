"""``benchmarks/parity_hf.py`` in small, where its environment is installed (``make bench NAME=parity_hf``)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-transformers-4.55" / "bin" / "python"


@pytest.mark.skipif(not PYTHON.exists(), reason="transformers 4.55 is installed by make bench NAME=parity_hf alone")
def test_generate_finds_the_same() -> None:
    command = [PYTHON, "-m", "benchmarks.parity_hf", "--combinations", "60", "--first", "5000"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    tally = json.loads(done.stdout)
    assert tally["different"] == []
    assert sum(tally["equal"].values()) + len(tally["near_ties"]) == sum(tally["sentences"].values()) == 180
    assert len(tally["near_ties"]) <= 1
