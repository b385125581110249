"""Curves in the terminal."""

from __future__ import annotations

from math import inf, nan

from seq2seq_kit.cli.plot import plot


def test_a_falling_line_falls() -> None:
    rows = plot([(0, 3), (5, 2), (10, 1)], width=6, height=3)
    assert rows[0].startswith("3 ┤") and rows[2].startswith("1 ┤")
    firsts = [next((i for i, c in enumerate(row[3:]) if c != " "), None) for row in rows[:3]]
    assert firsts == sorted(firsts) and firsts[0] == 0
    assert rows[-1].split() == ["0", "10"]
    assert {len(row) for row in rows[3:]} == {9}


def test_points_stand_over_the_line() -> None:
    rows = plot([(0, 0), (9, 0)], [(9, 4)], width=10, height=4)
    assert rows[0].endswith("●") and "●" not in "".join(rows[1:])
    assert rows[3].count("⣀") + rows[3].count("⠤") == 10 or set(rows[3][3:]) <= {chr(c) for c in range(0x2801, 0x2900)}


def test_what_is_no_number_is_left_out() -> None:
    assert plot([(0, nan), (1, inf)]) == []
    assert plot([]) == []
    assert plot([(0, nan), (1, 2.0)], width=4, height=2)[0].startswith("2 ┤")


def test_one_value_is_a_level() -> None:
    rows = plot([(3, 5)], width=4, height=2)
    assert rows[-1].split() == ["3"]
    assert all(label in ("5", "") for label in (row.split("┤")[0].strip() for row in rows[:2]))
