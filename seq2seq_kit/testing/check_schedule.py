"""Does a schedule keep what :class:`seq2seq_kit.Schedule` promises: a number for each step, the same when resumed?"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from seq2seq_kit.errors import UserError
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, Report
from seq2seq_kit.training.schedules import Schedule

_STEPS = (*range(1, 41), 100, 999, 1_000, 1_001, 10_000, 100_000, 1_000_000)
"""The steps that are asked for, counted from 1."""
_VALIDATIONS = (True, False, True, *[False] * 12)
"""Was each validation better than those before it?"""


@dataclass(frozen=True)
class _Probe:
    """A schedule as it is built; each question is put to a copy."""

    schedule: Schedule

    def fresh(self) -> Schedule:
        return copy.deepcopy(self.schedule)

    def validated(self) -> Schedule:
        """One that was told of validations between its steps, as in a training."""
        schedule = self.fresh()
        for step, better in enumerate(_VALIDATIONS, 1):
            schedule(step)
            schedule.on_validation(better)
        return schedule


def check_schedule(schedule: Schedule, *, skip: Collection[str] = ()) -> Report:
    """Check the contract of a schedule.

    ::

        def test_my_schedule_keeps_the_contract():
            check_schedule(MySchedule(MyConfig()))

    Args:
        schedule: as it is built. Copies of it are asked and told of validations.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(schedule, Schedule):
        raise UserError(f"check_schedule is given a {type(schedule).__name__}; it checks a seq2seq_kit.Schedule")
    refuse_unknown(skip, SCHEDULE_CHECKS)
    return run_checks(type(schedule).__name__, SCHEDULE_CHECKS, _Probe(schedule), skip)


def _check_values(probe: _Probe) -> None:
    for when, schedule in (("", probe.fresh()), (" after some validations", probe.validated())):
        for step in _STEPS:
            value = schedule(step)
            if type(value) not in (int, float):
                raise Fault(f"step {step}{when} is {value!r}, a {type(value).__name__}; it must be a float")
            if not math.isfinite(value) or value < 0:
                raise Fault(f"step {step}{when} is {value}; it must be a finite number of at least 0")


def _check_step_alone(probe: _Probe) -> None:
    """The value of a step does not depend on which steps were asked for before."""
    expected = _values(probe.fresh(), _STEPS)
    for what, steps in (("asked for in the opposite order", _STEPS[::-1]), ("asked for twice", sorted(_STEPS * 2))):
        schedule = probe.fresh()
        for step in steps:
            value = schedule(step)
            if value != expected[step]:
                raise Fault(
                    f"step {step} is {expected[step]:g}, and {value:g} where steps are {what}: a value may depend on "
                    "the step and on validations alone, as the log asks too, and a resumed run asks for no earlier step"
                )


def _check_state(probe: _Probe) -> None:
    trained = probe.validated()
    state = trained.state()
    if not isinstance(state, dict):
        raise Fault(f"state returns a {type(state).__name__}; it must be a dict, an empty one where nothing is learnt")
    try:
        text = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Fault(f"state is {state!r}, which cannot be saved as JSON ({error})") from None
    trained.on_validation(True)
    trained.on_validation(False)
    if json.dumps(state) != text:
        raise Fault("what state returned changes as the training goes on; return copies of what is kept")


def _check_resumed(probe: _Probe) -> None:
    """Restored from its state, it goes on as the one that was never interrupted."""
    unbroken, resumed = probe.validated(), probe.fresh()
    resumed.restore(json.loads(json.dumps(unbroken.state())))
    for number, better in enumerate((None, *_VALIDATIONS)):
        if better is not None:
            unbroken.on_validation(better)
            resumed.on_validation(better)
        expected, found = _values(unbroken, _STEPS), _values(resumed, _STEPS)
        other = next((step for step in _STEPS if found[step] != expected[step]), None)
        if other is not None:
            raise Fault(
                f"step {other} is {expected[other]:g}, and {found[other]:g} in a resumed run, {number} validations "
                "later; all that is learnt from validations must be in state, and restore must take it"
            )


def _values(schedule: Schedule, steps: Sequence[int]) -> dict[int, float]:
    return {step: schedule(step) for step in steps}


SCHEDULE_CHECKS = (
    Check("values", "every step from 1 up has a finite value of at least 0", _check_values),
    Check("step", "a value depends on the step and on validations alone", _check_step_alone, ("values",)),
    Check("state", "what it has learnt can be saved as JSON", _check_state),
    Check("resumed", "restored from its state, it goes on as before", _check_resumed, ("step", "state")),
)
