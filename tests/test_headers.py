"""Where a plugin with compiled code finds what it builds with."""

from __future__ import annotations

from pathlib import Path

import pytest

import seq2seq_kit
from seq2seq_kit import UserError, cmake_dir, include_dir


@pytest.mark.parametrize("installed", [0, 1])
def test_found_in_whatever_folder_of_the_package_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: int
) -> None:
    folders = [tmp_path / "source", tmp_path / "installed"]
    monkeypatch.setattr(seq2seq_kit, "__path__", [str(folder) for folder in folders])
    with pytest.raises(UserError, match="seq2seq_kit/include is missing: install the package"):
        include_dir()
    for name in ("include", "cmake"):
        (folders[installed] / name).mkdir(parents=True)
    assert include_dir() == folders[installed] / "include"
    assert cmake_dir() == folders[installed] / "cmake"
