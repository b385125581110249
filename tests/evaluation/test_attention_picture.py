"""The attention picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from seq2seq_kit import UserError
from seq2seq_kit.evaluation.attention_picture import draw_attention
from seq2seq_kit.interfaces import Output


def test_a_png_is_written(tmp_path: Path) -> None:
    output = Output("un deux", -0.1, ["un", "deux"], [0, 0, 0], ["one", "two", "</s>"], torch.eye(3))
    draw_attention(output, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_attention_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no attention"):
        draw_attention(Output("un", -0.1), tmp_path / "a.png")
