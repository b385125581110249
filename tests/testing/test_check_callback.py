"""The tester of callbacks passes a sound one, and names each fault that is planted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.testing import ContractError, check_callback
from seq2seq_kit.training.callbacks import Callback


@pytest.fixture(autouse=True)
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a short training."""
    monkeypatch.setattr("seq2seq_kit.training.curves.draw_curves", lambda *_: None)


class Sound(Callback):
    """Writes a line for what it is told."""

    def on_start(self, trainer: Any) -> None:
        self.file = (trainer.run / "told.txt").open("a", encoding="utf-8")

    def on_step(self, trainer: Any, step: Any) -> None:
        torch.rand(3)  # a step has random numbers of its own
        self.file.write(f"{step.step} {step.loss}\n")

    def on_validation(self, trainer: Any, record: dict[str, Any]) -> None:
        outputs = [] if trainer.decoded is None else trainer.decoded.outputs
        self.file.write(f"{record['best']} {len(outputs)}\n")

    def on_end(self, trainer: Any) -> None:
        self.file.close()


class Misspelt(Sound):
    def on_validate(self, trainer: Any, record: Any) -> None: ...


class TooFew(Sound):
    def on_log(self, record: Any) -> None:  # type: ignore[override]
        ...


class NotDecoded(Sound):
    def on_validation(self, trainer: Any, record: Any) -> None:
        print(len(trainer.decoded.outputs))


class OnlyNew(Sound):
    def on_start(self, trainer: Any) -> None:
        self.file = (trainer.run / "told.txt").open("x", encoding="utf-8")


class NoReason(Sound):
    def on_end(self, trainer: Any) -> None:
        print(trainer.reason.upper())
        super().on_end(trainer)


class NoOutcome(Sound):
    def on_failure(self, trainer: Any, error: BaseException) -> None:
        raise RuntimeError("no connection")


class Learns(Sound):
    def on_step(self, trainer: Any, step: Any) -> None:
        with torch.no_grad():
            next(trainer.model.parameters()).mul_(0.99)


class Overwrites(Sound):
    def on_save(self, trainer: Any, path: Path) -> None:
        path.write_bytes(b"better")


class Key(Sound):
    def on_start(self, trainer: Any) -> None:
        raise UserError("TRACKER_KEY is not set")


PLANTED: dict[type[Callback], tuple[str, str]] = {
    Misspelt: ("hooks", r"on_validate is no hook, and is never called; did you mean on_validation\?"),
    TooFew: ("hooks", r"on_log\(record: .*\).* cannot be called as on_log\(trainer, record\)"),
    NotDecoded: ("undecoded", r"on_validation fails in a training whose validations decode nothing .*AttributeError"),
    OnlyNew: ("resumed", "on_start fails in a resumed run: FileExistsError"),
    NoReason: ("failing", "on_end fails in a training that fails: AttributeError"),
    NoOutcome: ("failing", "on_failure fails in a training that fails: RuntimeError: no connection"),
    Learns: ("unchanged", "a training with it has another .* must leave parameters"),
    Overwrites: ("resumed", r"the run cannot be resumed after it: .*training\.safetensors.*leave the files"),
    Key: ("training", "on_start fails in a training: UserError: TRACKER_KEY is not set"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Callback]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_callback(planted)
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


def test_a_sound_callback_passes_and_nothing_is_left() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert {finding.verdict for finding in check_callback(Sound).findings} == {"ok"}
    assert torch.equal(torch.rand(1), expected) and torch.is_grad_enabled()


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given what makes a dict; it checks a Callback"):
        check_callback(dict)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no check 'hook' to skip; there are hooks, "):
        check_callback(Sound, skip=["hook"])
