"""The tester of configurations passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ConfigDict

from seq2seq_kit import ComponentConfig, UserError
from seq2seq_kit.registry import registry
from seq2seq_kit.testing import ContractError, check_config


class Sound(ComponentConfig):
    name: str = "sound"
    size: int = 4
    """A size."""


class HoldsAFunction(Sound):
    activation: Any = len
    """Not serialisable."""


class HoldsASet(Sound):
    words: frozenset[str] = frozenset({"b", "a"})
    """Comes back as it was: pydantic writes a list and reads it as a set."""


class HoldsAPath(Sound):
    file: Any = Path("words.txt")
    """Is text when it is read again."""


class HoldsInfinity(Sound):
    largest: float = float("inf")
    """Has no JSON."""


class WritesOtherwise(Sound):
    def model_dump(self, **how: Any) -> dict[str, Any]:
        return {**super().model_dump(**how), "width": 3}


class WithoutName(ComponentConfig):
    name: str


class Changes(Sound):
    model_config = ConfigDict(frozen=False)


PLANTED: dict[type[ComponentConfig], tuple[str, str]] = {
    HoldsAFunction: ("saved", r"it cannot be written as JSON, .*use numbers, text"),
    HoldsAPath: ("saved", r"read again, it is another one \(file is 'words.txt', was PosixPath\('words.txt'\)\)"),
    HoldsInfinity: ("saved", r"it cannot be written as JSON|it is another one|is refused when it is read"),
    WritesOtherwise: ("saved", "what it writes into checkpoint.json is refused when it is read .*no field 'width'"),
    WithoutName: ("name", "its field name has no default"),
    Changes: ("frozen", "it allows changes or unknown fields"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[ComponentConfig]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_config(planted(name="planted"))
    [fault] = caught.value.report.faults
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


@pytest.mark.parametrize("sound", [Sound(), Sound(size=7), HoldsASet()], ids=["default", "changed", "with a set"])
def test_a_sound_configuration_passes(sound: ComponentConfig) -> None:
    assert {finding.verdict for finding in check_config(sound).findings} == {"ok"}


def test_built_in_configurations_can_be_saved() -> None:
    for provided in registry().provided():
        config_class = provided.load_config() if provided.provider.distribution == "seq2seq-kit" else None
        if config_class and not any(f.is_required() for f in config_class.model_fields.values()):
            check_config(config_class())


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a dict; it checks a seq2seq_kit.ComponentConfig"):
        check_config({})  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no check 'json' to skip; there are name, saved, frozen"):
        check_config(Sound(), skip=["json"])
