"""Adds one requirement to the package's metadata: the torch minor that the extension is compiled against.

An extension of torch works with the minor version that it was compiled with and no other. A build without isolation
uses the torch that is installed; an isolated build installs the one pinned in ``[build-system]`` of ``pyproject.toml``.
The wheel then requires that minor. (A provider of scikit-build-core's ``[[tool.dynamic-metadata]]``.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def dynamic_metadata(settings: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, list[str]]:
    """What to add to ``[project]``."""
    return {"dependencies": [f"torch=={torch_minor()}.*"]}


def dynamic_wheel(settings: Mapping[str, Any]) -> dict[str, bool]:
    """A wheel's requirements may differ from the source distribution's."""
    return {"dependencies": True}


def torch_minor() -> str:
    """``"2.13"``: of the torch in this environment; without one, of the pin in ``pyproject.toml``."""
    try:
        found = version("torch")
    except PackageNotFoundError:
        pyproject = Path(__file__).parent.parent / "pyproject.toml"
        pin = re.search(r'"torch==([\d.]+)\.\*"', pyproject.read_text(encoding="utf-8"))
        assert pin, "pyproject.toml: [build-system] requires no torch==X.Y.*"
        found = pin.group(1)
    return ".".join(found.split(".")[:2])
