"""A throw-away virtual environment that sees this one's packages, and into which plugins can be installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


class Environment:
    """A virtual environment that sees this one's packages, and into which a plugin can be installed."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.python = folder / "bin" / "python"
        [site_packages] = (folder / "lib").glob("python*/site-packages")
        parent = sysconfig.get_paths()["purelib"]
        (site_packages / "parent.pth").write_text(f"import site; site.addsitedir({parent!r})\n", encoding="utf-8")

    def run(self, *arguments: object, timeout: float = 240, **options: object) -> subprocess.CompletedProcess[str]:
        """Run ``python ARGUMENTS`` in the environment, for ``timeout`` seconds at most."""
        env = {**os.environ, "S2S_PLUGINS_STRICT": "1"}
        command = [str(self.python), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, encoding="utf-8", env=env, timeout=timeout, **options)  # type: ignore[call-overload, no-any-return]

    def s2s(self, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "seq2seq_kit", *arguments, **options)

    def pip(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def install(self, *distributions: Path) -> None:
        self.pip("install", "--no-deps", "--no-build-isolation", "--no-index", *distributions)
