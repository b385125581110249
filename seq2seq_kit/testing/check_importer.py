"""Does an importer keep what :class:`seq2seq_kit.Importer` promises: runs that decode, sentences for what is none?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import UserError
from seq2seq_kit.importing import export_run, import_run
from seq2seq_kit.interfaces import Imported, Importer
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, NotChecked, Report
from seq2seq_kit.testing.texts import TEXTS


@dataclass
class _Probe:
    """An importer, the name of a checkpoint or None, and a folder for runs."""

    importer: Importer
    source: str | None
    folder: Path

    def named(self) -> str:
        if self.source is None:
            raise NotChecked("it is given no checkpoint")
        return self.source

    @cached_property
    def imported(self) -> Imported:
        return self.importer.read(self.named())

    def import_as(self, name: str, source: str) -> Path:
        try:
            import_run(self.importer, source, self.folder / name)
        except UserError as error:
            raise Fault(f"what read gives for {source} makes no run: {error}") from None
        return self.folder / name


def check_importer(importer: Importer, source: str | Path | None = None, *, skip: Collection[str] = ()) -> Report:
    """Check the contract of an importer.

    ::

        def test_my_importer_keeps_the_contract():
            check_importer(MyImporter(MyConfig()), "tests/checkpoint")

    Args:
        source: a checkpoint, as the importer calls it, as small as can be; None: only what has none is checked.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(importer, Importer):
        raise UserError(f"check_importer is given a {type(importer).__name__}; it checks a seq2seq_kit.Importer")
    refuse_unknown(skip, IMPORTER_CHECKS)
    with tempfile.TemporaryDirectory() as name:
        probe = _Probe(importer, None if source is None else str(source), Path(name))
        return run_checks(type(importer).__name__, IMPORTER_CHECKS, probe, skip)


def _check_missing(probe: _Probe) -> None:
    (probe.folder / "empty").mkdir()
    (probe.folder / "picture").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name, what in (("none", "no file of that name"), ("empty", "an empty folder"), ("picture", "a picture")):
        try:
            probe.importer.read(str(probe.folder / name))
        except UserError:
            continue
        except Exception as error:
            raise Fault(
                f"where there is {what}, read raises {type(error).__name__}: {error}; it must raise a UserError that "
                "says what is missing"
            ) from None
        raise Fault(f"where there is {what}, read gives a checkpoint; it must raise a UserError")


def _check_read(probe: _Probe) -> None:
    imported = probe.imported
    if not isinstance(imported, Imported):
        raise Fault(f"read gives a {type(imported).__name__}, not an Imported")
    for name in ("config", "facts"):
        value = getattr(imported, name)
        try:
            json.dumps(value if not isinstance(value, Mapping) else dict(value))
        except (TypeError, ValueError) as error:
            raise Fault(f"{name} has what cannot be written as JSON ({error}); use plain values") from None
    for section in ("task", "model"):
        if section not in imported.config:
            raise Fault(f"config has no section {section!r}; it must have task and model, as in a YAML file")
    other = next((name for name, x in imported.tensors.items() if not isinstance(x, Tensor)), None)
    if other is not None:
        raise Fault(f"tensors has a {type(imported.tensors[other]).__name__} called {other!r}, not a tensor")


def _check_same(probe: _Probe) -> None:
    first = probe.imported
    again = probe.importer.read(probe.named())
    if dict(first.config) != dict(again.config):
        raise Fault("read a second time, it gives another config; it may depend on the checkpoint alone")
    _compare(first.tensors, again.tensors, "read a second time, it gives")


def _check_run(probe: _Probe) -> None:
    pipeline = load(probe.import_as("run", probe.named()), stepper="python")
    source = pipeline.task.source_spec
    if source is not None and source.vocab_size is None:
        return  # what it reads is no text
    for output in pipeline([*TEXTS, ""], max_length=8):
        if output.text and not torch.tensor(output.token_scores).isfinite().all():
            raise Fault(f"its run writes {output.text!r} with log-probabilities {output.token_scores}")


def _check_write(probe: _Probe) -> None:
    probe.named()
    if type(probe.importer).write is Importer.write:
        raise NotChecked("it only imports")
    try:
        export_run(probe.importer, probe.folder / "run", probe.folder / "written")
    except UserError as error:
        raise Fault(f"what it has read cannot be written: {error}") from None
    again = probe.import_as("again", str(probe.folder / "written"))
    one, other = (dict(load(run).model.state_dict()) for run in (probe.folder / "run", again))
    _compare(one, other, "written and read again, it has")


def _compare(first: Mapping[str, Tensor], again: Mapping[str, Tensor], what: str) -> None:
    names = sorted({*first, *again})
    different = [n for n in names if n not in first or n not in again or not torch.equal(first[n], again[n])]
    if different:
        raise Fault(f"{what} another {different[0]}")


IMPORTER_CHECKS = (
    Check("missing", "what is no checkpoint is refused with a sentence", _check_missing),
    Check("read", "a checkpoint is plain values and tensors", _check_read),
    Check("same", "the same checkpoint gives the same", _check_same, ("read",)),
    Check("run", "it makes a run that decodes", _check_run, ("read",)),
    Check("write", "what it writes it can read, and it is the same", _check_write, ("run",)),
)
