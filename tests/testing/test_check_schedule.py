"""The tester of schedules passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.registry import build, registry
from seq2seq_kit.testing import ContractError, check_schedule
from seq2seq_kit.training.schedules import Schedule


class Sound(Schedule):
    """Halved at each third validation that was no better."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.waited = 0

    def __call__(self, step: int) -> float:
        return min(1.0, step / 5) * 0.5 ** (self.waited // 3)

    def on_validation(self, better: bool) -> None:
        self.waited += not better

    def state(self) -> dict[str, Any]:
        return {"waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.waited = state["waited"]


class DividesByZero(Sound):
    def __call__(self, step: int) -> float:
        return 1 / (step - 1)


class Falls(Sound):
    def __call__(self, step: int) -> float:
        return 1 - step / 500


class Overflows(Sound):
    def __call__(self, step: int) -> float:
        return float("inf") if step > 1000 else 1.0


class GivesTensors(Sound):
    def __call__(self, step: int) -> Any:
        return torch.tensor(1.0)


class CountsCalls(Sound):
    calls = 0

    def __call__(self, step: int) -> float:
        self.calls += 1
        return 1 / self.calls


class RemembersTheLargest(Sound):
    largest = 0.0

    def __call__(self, step: int) -> float:
        self.largest = max(self.largest, super().__call__(step))
        return self.largest


class Draws(Sound):
    def __call__(self, step: int) -> float:
        return float(np.random.default_rng().random())


class Forgets(Sound):
    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class ForgetsHalf(Sound):
    def restore(self, state: dict[str, Any]) -> None:
        self.waited = state["waited"] // 3 * 3


class SavesTensors(Sound):
    def state(self) -> dict[str, Any]:
        return {"waited": torch.tensor(self.waited)}


class SavesNothing(Sound):
    def state(self) -> Any:
        return None


class SavesItself(Sound):
    def state(self) -> dict[str, Any]:
        return vars(self)

    def restore(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


PLANTED: dict[type[Sound], tuple[str, str]] = {
    DividesByZero: ("values", r"ZeroDivisionError in __call__ \(test_check_schedule.py, line \d+\)"),
    Falls: ("values", r"step 999 is -0\.998; it must be a finite number of at least 0"),
    Overflows: ("values", "step 1001 is inf; it must be a finite number"),
    GivesTensors: ("values", "a Tensor; it must be a float"),
    CountsCalls: ("step", "step 1000000 is 0.02.*, and 1 where steps are asked for in the opposite order"),
    RemembersTheLargest: ("step", "a value may depend on the step and on validations alone"),
    Draws: ("step", "a value may depend on the step and on validations alone"),
    Forgets: ("resumed", "step 1 is 0.0125, and 0.2 in a resumed run, 0 validations later"),
    ForgetsHalf: ("resumed", "all that is learnt from validations must be in state"),
    SavesTensors: ("state", "cannot be saved as JSON"),
    SavesNothing: ("state", "state returns a NoneType; it must be a dict"),
    SavesItself: ("state", "what state returned changes as the training goes on; return copies"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_schedule(planted())
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


REQUIRED = {"linear": {"steps": 10}, "noam": {"size": 8}, "cosine": {"steps": 10}, "one_cycle": {"steps": 10}}
REQUIRED |= {"exponential": {"decay": 0.9}, "inverse_sigmoid": {"k": 10}, "plateau": {"patience": 2, "warmup": 5}}


@pytest.mark.parametrize("name", [p.component.name for p in registry().provided("schedule")])
def test_built_in_schedules_keep_the_contract(name: str) -> None:
    config_class = registry().find("schedule", f"seq2seq-kit/{name}").load_config() or ComponentConfig
    schedule = build("schedule", validate(config_class, {"name": name, **REQUIRED.get(name, {})}, "test"))
    assert {finding.verdict for finding in check_schedule(schedule).findings} == {"ok"}


def test_the_schedule_to_plant_faults_in_is_sound() -> None:
    schedule = Sound()
    assert {finding.verdict for finding in check_schedule(schedule).findings} == {"ok"}
    assert schedule.waited == 0  # copies were told


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a float; it checks a seq2seq_kit.Schedule"):
        check_schedule(0.5)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no check 'value' to skip; there are values, "):
        check_schedule(Sound(), skip=["value"])
