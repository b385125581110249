"""Distinct-1, distinct-2 and length: of the outputs alone."""

from __future__ import annotations

import pytest

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.metrics.diversity import Distinct1, Distinct2, Length, LengthConfig


def test_different_n_grams_among_all() -> None:
    outputs, references = ["I do not know", "i do", ""], [["x"]] * 3
    assert Distinct1(ComponentConfig(name="distinct1"))(outputs, references) == pytest.approx(100 * 4 / 6)
    assert Distinct2(ComponentConfig(name="distinct2"))(outputs, references) == pytest.approx(100 * 3 / 4)
    assert Distinct2(ComponentConfig(name="distinct2"))(["a"], [["x"]]) == 0
    assert Length(LengthConfig())(outputs, references) == 2
