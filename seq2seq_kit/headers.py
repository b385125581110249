"""What a plugin with compiled code builds with: the installed C++ headers and the CMake package. Torch-free."""

from __future__ import annotations

from pathlib import Path

import seq2seq_kit
from seq2seq_kit.errors import UserError


def include_dir() -> Path:
    """The folder of the C++ interface: ``#include "seq2seq_kit/step_model.h"``.

    Raises:
        UserError: the package is imported from its source and not installed.
    """
    return _installed("include")


def cmake_dir() -> Path:
    """What a CMake project sets ``seq2seq_kit_DIR`` to, for ``find_package(seq2seq_kit CONFIG)``.

    Raises:
        UserError: the package is imported from its source and not installed.
    """
    return _installed("cmake")


def _installed(name: str) -> Path:
    for folder in seq2seq_kit.__path__:  # an editable installation has two
        if (Path(folder) / name).is_dir():
            return Path(folder) / name
    raise UserError(
        f"seq2seq_kit/{name} is missing: install the package (pip install .) rather than importing its source"
    )
