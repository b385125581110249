"""Schedules: the values at the steps that matter, and bad options refused."""

from __future__ import annotations

import math
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


def test_linear_may_warm_up_first() -> None:
    rate = schedule("linear", warmup=4, delay=2, steps=4, start=0.8)
    values = [0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0]
    assert [rate(step) for step in range(1, 12)] == pytest.approx(values)


def test_inverse_sqrt_peaks_at_the_end_of_warmup() -> None:
    rate = schedule("inverse_sqrt", warmup=100)
    assert [rate(step) for step in (1, 50, 100, 400, 10_000)] == pytest.approx([0.01, 0.5, 1.0, 0.5, 0.1])


def test_noam_is_equation_3_of_the_paper() -> None:
    rate = schedule("noam", size=512)  # the base model: 4,000 steps of warm-up
    assert rate(4000) == pytest.approx(512**-0.5 * 4000**-0.5)
    assert rate(1000) == pytest.approx(rate(4000) / 4)  # linear before
    assert rate(16_000) == pytest.approx(rate(4000) / 2)  # 1/sqrt(step) after
    assert rate(1) == pytest.approx(1.7469e-7, rel=1e-4)


def test_cosine_falls_from_one_after_its_warmup() -> None:
    rate = schedule("cosine", steps=100, warmup=10, end=0.1)
    assert [rate(step) for step in (1, 5, 10)] == pytest.approx([0.1, 0.5, 1.0])
    assert [rate(step) for step in (60, 110, 500)] == pytest.approx([0.55, 0.1, 0.1])
    assert rate(35) == pytest.approx(0.1 + 0.9 * (1 + 2**-0.5) / 2)  # a quarter of the way: cos(π/4)


def test_one_cycle_is_that_of_pytorch() -> None:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=101, cycle_momentum=False)
    ours = schedule("one_cycle", steps=101)
    for step in range(1, 102):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        if step < 101:
            theirs.step()
    assert ours(500) == ours(101) == pytest.approx(4e-6)
    assert [schedule("one_cycle", steps=2, rise=0.5)(step) for step in (1, 2)] == pytest.approx([1.0, 4e-6])


def test_plateau_falls_after_enough_validations_without_a_better_one() -> None:
    rate = schedule("plateau", factor=0.5, patience=2, end=0.2, warmup=4)
    assert [rate(step) for step in (1, 4, 9)] == [0.25, 1.0, 1.0]
    values = []
    for better in (True, False, True, False, False, False, False, False, False):
        rate.on_validation(better)
        values.append(rate(10))
    assert values == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.2]


def test_plateau_goes_on_from_its_saved_state() -> None:
    import json

    whole, first = schedule("plateau", patience=2), schedule("plateau", patience=2)
    for better in (False, False, False):
        whole.on_validation(better)
        first.on_validation(better)
    second = schedule("plateau", patience=2)
    second.restore(json.loads(json.dumps(first.state())))
    for rate in (whole, second):
        rate.on_validation(False)
    assert whole(1) == second(1) == 0.25
    assert schedule("constant").state() == {}  # the others are functions of the step alone


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "linear"}, "schedule.steps: this field is required"),
        ({"name": "linear", "steps": 0}, "schedule.steps"),
        ({"name": "linear", "steps": 5, "start": -1}, "schedule.start"),
        ({"name": "inverse_sqrt", "warm_up": 5}, "did you mean 'warmup'"),
        ({"name": "cosinus", "steps": 3}, "unknown schedule 'cosinus'; did you mean 'cosine'"),
        ({"name": "noam"}, "schedule.size: this field is required"),
        ({"name": "one_cycle", "steps": 9, "rise": 1}, "schedule.rise"),
        ({"name": "plateau", "factor": 1}, "schedule.factor"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(Section, {"schedule": options}, "test")


def test_exponential_decay_is_that_of_scheduled_sampling() -> None:
    forcing = schedule("exponential", decay=0.9, end=0.2)
    assert [forcing(step) for step in (1, 2, 10, 15, 16, 1000)] == pytest.approx(
        [0.9, 0.81, 0.9**10, 0.9**15, 0.2, 0.2]
    )


def test_inverse_sigmoid_decay_is_that_of_scheduled_sampling() -> None:
    forcing = schedule("inverse_sigmoid", k=10)
    assert forcing(1) == pytest.approx(10 / (10 + math.exp(0.1)))
    assert forcing(23) == pytest.approx(10 / (10 + math.exp(2.3)))  # about a half: 10 ln 10 = 23.03
    assert forcing(10**9) == pytest.approx(0, abs=1e-300)  # no overflow
    assert schedule("inverse_sigmoid", k=10, end=0.3)(60) == 0.3
