"""Environments of their own for the systems we are compared with: made once, made again when their list changes."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.support.harness import ROOT


def environment(name: str, requirements: list[str], *, ours: bool = False, plugins: Sequence[str] = ()) -> Path:
    """The Python of ``.venv-NAME`` in the repository's root, with ``requirements`` installed.

    Args:
        ours: it also imports what this Python imports, where it has nothing of that name itself: a peer and the kit
            then run in one process, on the same weights and the same torch.
        plugins: folders of ``plugins/`` to install, in place and without what they depend on.
    """
    folder = ROOT / f".venv-{name}"
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join([*requirements, *plugins, *(["# and ours"] if ours else [])]) + "\n"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder.name}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        for plugin in plugins:
            editable = ["--no-deps", "--editable", str(ROOT / "plugins" / plugin)]
            subprocess.run([python, "-m", "pip", "install", "--quiet", *editable], check=True)
        if ours:
            _add_ours(python)
        stamp.write_text(wanted)
    return python


def _add_ours(python: Path) -> None:
    """A path file, which Python reads at its start; editable installs have such files themselves."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = subprocess.run([python, "-c", where], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (Path(theirs) / "ours.pth").write_text(line, encoding="utf-8")
