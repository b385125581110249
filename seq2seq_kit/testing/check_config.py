"""Can a configuration be kept in a run folder, and read again as what it was?"""

from __future__ import annotations

import json
from collections.abc import Collection

from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, Report


def check_config(config: ComponentConfig, *, skip: Collection[str] = ()) -> Report:
    """Check the configuration of a component.

    ::

        def test_my_configuration_can_be_saved():
            check_config(MyConfig(size=8))

    Args:
        config: with any values; those that users give are the best.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(config, ComponentConfig):
        raise UserError(f"check_config is given a {type(config).__name__}; it checks a seq2seq_kit.ComponentConfig")
    refuse_unknown(skip, CONFIG_CHECKS)
    return run_checks(type(config).__name__, CONFIG_CHECKS, config, skip)


def _check_name(config: ComponentConfig) -> None:
    default = type(config).model_fields["name"].default
    if not isinstance(default, str):
        raise Fault('its field name has no default; write name: str = "…", as the component is declared')


def _check_saved(config: ComponentConfig) -> None:
    try:
        text = json.dumps(config.model_dump(mode="json"), allow_nan=False)
    except Exception as error:  # pydantic's and json's own, of many kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Fault(
            f"it cannot be written as JSON, as checkpoint.json needs it ({lines[-1].strip()}); use numbers, text, "
            "truth values, lists and sections of other components"
        ) from None
    try:
        again = validate(type(config), json.loads(text), "read again")
    except ConfigError as error:
        raise Fault(f"what it writes into checkpoint.json is refused when it is read ({error})") from None
    if again != config:
        fields = type(config).model_fields
        changed = [name for name in fields if getattr(again, name) != getattr(config, name)]
        values = ", ".join(f"{name} is {getattr(again, name)!r}, was {getattr(config, name)!r}" for name in changed)
        raise Fault(f"written and read again, it is another one ({values or 'what is compared is no field'})")


def _check_frozen(config: ComponentConfig) -> None:
    if not type(config).model_config.get("frozen") or type(config).model_config.get("extra") != "forbid":
        raise Fault("it allows changes or unknown fields; leave model_config as ComponentConfig has it")


CONFIG_CHECKS = (
    Check("name", "it names its component", _check_name),
    Check("saved", "written into checkpoint.json and read again, it is the same", _check_saved),
    Check("frozen", "it cannot be changed, and refuses what it does not know", _check_frozen),
)
