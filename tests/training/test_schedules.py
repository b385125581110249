"""Schedules: the values at the steps that matter, and bad options refused."""

from __future__ import annotations

from typing import Any

import pytest

from seq2seq_kit.config import Config, component_field, validate
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.registry import build


class Section(Config):
    schedule: component_field("schedule")  # type: ignore[valid-type]


def schedule(name: str, **options: Any) -> Any:
    return build("schedule", validate(Section, {"schedule": {"name": name, **options}}, "test").schedule)


def test_constant_is_one_unless_told() -> None:
    assert [schedule("constant")(step) for step in (1, 10, 10**6)] == [1.0, 1.0, 1.0]
    assert schedule("constant", value=0.25)(7) == 0.25


def test_linear_goes_from_start_to_end_and_stays() -> None:
    forcing = schedule("linear", steps=4)
    assert [forcing(step) for step in (1, 2, 3, 4, 5, 100)] == [0.75, 0.5, 0.25, 0.0, 0.0, 0.0]
    late = schedule("linear", start=0.2, end=1.0, steps=2, delay=3)
    assert [late(step) for step in (1, 3, 4, 5, 6)] == pytest.approx([0.2, 0.2, 0.6, 1.0, 1.0])


def test_inverse_sqrt_peaks_at_the_end_of_warmup() -> None:
    rate = schedule("inverse_sqrt", warmup=100)
    assert [rate(step) for step in (1, 50, 100, 400, 10_000)] == pytest.approx([0.01, 0.5, 1.0, 0.5, 0.1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "linear"}, "schedule.steps: this field is required"),
        ({"name": "linear", "steps": 0}, "schedule.steps"),
        ({"name": "linear", "steps": 5, "start": -1}, "schedule.start"),
        ({"name": "inverse_sqrt", "warm_up": 5}, "did you mean 'warmup'"),
        ({"name": "cosine"}, "unknown schedule 'cosine'"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(Section, {"schedule": options}, "test")
