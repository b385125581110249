"""Histograms count everything once, in bins that a person would choose."""

from __future__ import annotations

from seq2seq_kit.evaluation.report.histogram import histogram


def counted(series: dict[str, list[float]]) -> dict[str, int]:
    found = histogram("title", series)
    assert found is not None
    titles = [bar.title for bar in found.bars]
    for bar in found.bars:
        assert 0 < bar.x < bar.x + bar.width <= found.width and 0 < bar.y < bar.y + bar.height <= found.bottom + 0.11
    return {title.partition(" of ")[2]: int(title.partition(": ")[2].partition(" of ")[0]) for title in titles}


def test_whole_numbers_have_a_bin_each_or_round_ones() -> None:
    assert counted({"a": [3.0, 3.0, 5.0]}) == {"3": 2, "5": 1}
    assert counted({"a": [float(i) for i in range(101)]})["100 to 104"] == 1


def test_a_score_at_the_upper_end_is_in_the_last_bin() -> None:
    found = counted({"a": [99.5, 100.0, 0.5]})
    assert found["95 to 100"] == 2 and sum(found.values()) == 3


def test_outliers_share_the_last_bin_and_infinite_values_have_none() -> None:
    found = counted({"a": [*(float(i % 10) for i in range(1000)), 5000.0, float("-inf")]})
    assert found["9 or more"] == 101 and sum(found.values()) == 1001


def test_series_stand_side_by_side_with_their_means() -> None:
    found = histogram("title", {"outputs": [1.0, 2.0], "references": [4.0, 6.0]})
    assert found is not None
    assert found.series[0] == ("outputs", "mean 1.5, median 1.5, 1 to 2") and found.series[1][1].startswith("mean 5")
    assert {bar.series for bar in found.bars} == {0, 1}
    assert histogram("title", {"a": []}) is None


def test_one_value_is_one_bar() -> None:
    assert counted({"a": [0.25, 0.25]}) == {"0 to 1": 2}
    assert counted({"a": [-1.0]}) == {"-1": 1}
