"""Does a callback keep what :class:`seq2seq_kit.Callback` promises: to watch a training, and leave it as it is?

It is put to trainings of a model of some hundred parameters for a few steps: one that is resumed, one that decodes
nothing, and one that fails.
"""

from __future__ import annotations

import difflib
import inspect
import random
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from seq2seq_kit.checkpoint import LAST, load_run
from seq2seq_kit.errors import CheckpointError, UserError
from seq2seq_kit.plugins import cause
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.sealed import read_tensors
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, Report
from seq2seq_kit.testing.texts import TEXTS
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.runs import resume, train

HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))

_HALFWAY, _STEPS = 2, 4
"""Updates before and after the interruption."""


class _Planned(Exception):
    """The failure of the training that fails."""


@dataclass
class _Heard(Callback):
    """Passes on what it is told, and keeps what went wrong."""

    callback: Callback
    failures: list[tuple[str, Exception]] = field(default_factory=list)  # the hook, and what it raised

    def __getattribute__(self, name: str) -> Any:
        if name not in HOOKS:
            return super().__getattribute__(name)

        def tell(*arguments: Any) -> None:
            try:
                getattr(self.callback, name)(*arguments)
            except Exception as error:
                self.failures.append((name, error))
                raise

        return tell


class _Fails(Callback):
    def on_step(self, trainer: Any, step: Any) -> None:
        raise _Planned


@dataclass(frozen=True)
class _Probe:
    """What makes a callback, and a folder for runs."""

    make: Callable[[], Callback]
    folder: Path
    data: Path

    def config(self, steps: int, examples: int | None = 2) -> RunConfig:
        part = {"name": "gru", "embedding_size": 4, "size": 4}
        words = {"source_tokenizer": "word", "target_tokenizer": "word", "metrics": ["exact"]}
        values = {
            "task": {"name": "translation", **words},
            "data": {"train": [str(self.data)], "dev": [str(self.data)]},
            "model": {"encoder": part, "decoder": {**part, "attention": "none", "dropout": 0.1}},
            "training": {
                "max_steps": steps,
                "log_every": 1,
                "validate_every": _STEPS + 1,  # once, at the end
                "validation_examples": examples,
                "batch_tokens": 20,
                "samples": 0,
            },
            "search": {"beam_size": 1, "max_length": 4},
        }
        return make_config(values, [], "check_callback")

    def train(self, run: Path, what: str, *others: Callback, steps: int = _STEPS, examples: int | None = 2) -> None:
        """Train with the callback and ``others``; raises a :class:`Fault` for what it raises."""
        heard = _Heard(self.make())
        with _training():
            try:
                train(self.config(steps, examples), run, callbacks=[heard, *others])
            except _Planned:
                pass
            except Exception as error:
                _raise_first(heard, what, error)
        _raise_first(heard, what)

    def resume(self, run: Path) -> None:
        heard = _Heard(self.make())
        with _training():
            try:
                resume(run, [f"training.max_steps={_STEPS}"], callbacks=[heard])
            except CheckpointError as error:
                raise Fault(f"the run cannot be resumed after it: {error}; leave the files of the run alone") from None
            except Exception as error:
                _raise_first(heard, "in a resumed run", error)
        _raise_first(heard, "in a resumed run")


def check_callback(make: Callable[[], Callback], *, skip: Collection[str] = ()) -> Report:
    """Check the contract of a callback, in trainings of a second in all.

    ::

        def test_my_callback_keeps_the_contract(tmp_path):
            check_callback(lambda: MyCallback(MyConfig(file=str(tmp_path / "log.txt"))))

    Args:
        make: builds one; several are made, one for each training.
        skip: names of checks to leave out; ``unchanged`` for a callback that stops the training or changes it by
            design.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    refuse_unknown(skip, CALLBACK_CHECKS)
    built = make() if callable(make) else make
    if not isinstance(built, Callback):
        raise UserError(f"check_callback is given what makes a {type(built).__name__}; it checks a Callback")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data.tsv"
        data.write_text("".join(f"{text}\t{text[::-1]}\n" for text in TEXTS), encoding="utf-8")
        return run_checks(type(built).__name__, CALLBACK_CHECKS, _Probe(make, folder, data), skip)


def _check_hooks(probe: _Probe) -> None:
    callback = probe.make()
    for name in dir(callback):
        if name.startswith("on_") and name not in HOOKS and callable(getattr(callback, name)):
            close = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]}?" if close else "."
            raise Fault(f"{name} is no hook, and is never called{hint} The hooks are {', '.join(HOOKS)}")
    for name in HOOKS:
        hook, base = getattr(callback, name), getattr(Callback, name)
        given = list(inspect.signature(base).parameters)[1:]
        try:
            inspect.signature(hook).bind(*given)
        except TypeError:
            written = inspect.signature(hook)
            raise Fault(f"{name}{written} cannot be called as {name}({', '.join(given)})") from None


def _check_training(probe: _Probe) -> None:
    probe.train(probe.folder / "first", "in a training", steps=_HALFWAY)


def _check_resumed(probe: _Probe) -> None:
    probe.resume(probe.folder / "first")


def _check_unchanged(probe: _Probe) -> None:
    """The run that was interrupted halfway, with the callback, is the unbroken one without it."""
    with _training():
        train(probe.config(_STEPS), probe.folder / "without")
    expected, _ = read_tensors(probe.folder / "without" / LAST)
    try:
        found, _ = read_tensors(probe.folder / "first" / LAST)
        load_run(probe.folder / "first")
    except CheckpointError as error:
        raise Fault(f"after a training with it, {error}; leave the files of the run alone") from None
    different = [name for name, x in expected.items() if name not in found or not torch.equal(found[name], x)]
    if different:
        raise Fault(
            f"a training with it has another {different[0]} than one without; it must leave parameters, gradients and "
            "what the optimizer keeps alone, or a resumed run is no longer the same"
        )


def _check_failing(probe: _Probe) -> None:
    probe.train(probe.folder / "failing", "in a training that fails", _Fails())


def _check_undecoded(probe: _Probe) -> None:
    what = "in a training whose validations decode nothing (training.validation_examples: 0)"
    probe.train(probe.folder / "undecoded", what, steps=1, examples=0)


def _raise_first(heard: _Heard, what: str, error: Exception | None = None) -> None:
    """The first failure of the callback as a fault; an ``error`` of something else as it is."""
    if heard.failures:
        hook, failure = heard.failures[0]
        raise Fault(f"{hook} fails {what}: {cause(failure)}") from failure
    if error is not None:
        raise error


@contextmanager
def _training() -> Iterator[None]:
    """A context in which gradients are taken, and after which Python's generator is as it was before."""
    state = random.getstate()
    try:
        with torch.enable_grad():
            yield
    finally:
        random.setstate(state)


CALLBACK_CHECKS = (
    Check("hooks", "what is called on_… is a hook, and takes what that is given", _check_hooks),
    Check("training", "it watches a training to its end", _check_training, ("hooks",)),
    Check("resumed", "it watches a resumed run", _check_resumed, ("training",)),
    Check("unchanged", "a training with it is the same as without", _check_unchanged, ("resumed",)),
    Check("failing", "it is told of a failure, and ends", _check_failing, ("hooks",)),
    Check("undecoded", "it does without decoded examples", _check_undecoded, ("hooks",)),
)
