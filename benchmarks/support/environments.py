"""Environments of their own for the systems we are compared with: made once, made again when their list changes."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.support.harness import ROOT


def environment(name: str, requirements: list[str]) -> Path:
    """The Python of ``.venv-NAME`` in the repository's root, with ``requirements`` installed."""
    folder = ROOT / f".venv-{name}"
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder.name}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        stamp.write_text(wanted)
    return python
