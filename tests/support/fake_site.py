"""A folder of made-up distributions, as pip would install them, for a Python process of its own to find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPORT = """
import json, sys
from seq2seq_kit.registry import registry
plugins = registry().plugins
print(json.dumps({
    "providers": [f"{p.distribution} {p.version} {p.entry_point}" for p in plugins.providers],
    "names": [p.qualified_name for p in plugins.provided if p.provider.distribution != "seq2seq-kit"],
    "broken": [str(b) for b in plugins.broken],
    "disabled": plugins.disabled,
    "hooked": sorted(impl.plugin_name for impl in plugins.manager.hook.register_components.get_hookimpls()),
    "modules": [name for name in sys.modules],
}))
"""

HEADER = "from seq2seq_kit import Component, hookimpl\n"


def components(*declared: str) -> str:
    """The source of a plugin module that returns these ``Component(...)`` expressions."""
    return f"{HEADER}@hookimpl\ndef register_components():\n    return [{', '.join(declared)}]\n"


def attention(name: str) -> str:
    return f'Component("attention", "{name}", "model:Attention", summary="made up")'


class FakeSite:
    """Distributions in ``folder``; whatever runs with it on its path finds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, source: str = "", version: str = "1.0", entry_points: str | None = None) -> None:
        """Add a distribution whose one module ``<name>_plugin`` has this source.

        Args:
            entry_points: the lines of its entry-point group; default: ``main``, its module.
        """
        module = f"{name.replace('-', '_').lower()}_plugin"
        (self.folder / f"{module}.py").write_text(source, encoding="utf-8")
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
        lines = f"main = {module}" if entry_points is None else entry_points
        (info / "entry_points.txt").write_text(f"[seq2seq_kit]\n{lines}\n", encoding="utf-8")

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``python ARGUMENTS`` with the distributions in reach."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("S2S_")}
        return subprocess.run(
            [sys.executable, *arguments],
            env={**clean, "PYTHONPATH": str(self.folder), **env},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def s2s(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "seq2seq_kit", *arguments, **env)

    def report(self, **env: str) -> dict[str, Any]:
        """What the loader made of the distributions."""
        done = self.run("-c", REPORT, **env)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report
