"""What is marked in two texts is what only one of them has."""

from __future__ import annotations

import pytest

from seq2seq_kit.evaluation.report.differences import differences, nearest

CASES = [
    ("a b c", "a x c", ["b"], ["x"]),
    ("a b", "a b", [], []),
    ("", "a b", [], ["a b"]),
    ("a b", "", ["a b"], []),
    ("你好吗", "你很好", ["吗"], ["很"]),
    ("one  two", "one two", [], []),
    ("a b c d", "c d a b", ["c d"], ["c d"]),
]


@pytest.mark.parametrize(("output", "reference", "here", "there"), CASES)
def test_what_only_one_has_is_marked(output: str, reference: str, here: list[str], there: list[str]) -> None:
    parts = differences(output, reference)
    assert ["".join(text for _, text in one) for one in parts] == [output, reference]
    marked = [[text.strip() for same, text in one if not same] for one in parts]
    assert marked == [here, there]


def test_the_nearest_reference_has_most_in_common() -> None:
    assert nearest("a b c", ["x y z", "a b x", "a x c"]) == 1
    assert nearest("", ["", "a"]) == 0
