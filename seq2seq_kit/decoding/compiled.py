"""Compiled code of a decoder's step beside its run: what it was made of, and whether it may be used here.

=========================  ===========================================================================================
``compiled/step.pt2``      the code, with the weights (a package of AOTInductor, PyTorch's ahead-of-time compiler)
``compiled/step.json``     what it was compiled from and for, and its digest
=========================  ===========================================================================================

``s2s compile`` writes both. Code is run as soon as it is loaded, so it is loaded on the user's word alone
(``stepper="compiled"``), never because it lies in a run folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from seq2seq_kit import __version__
from seq2seq_kit.errors import CheckpointError, SearchError, UserError
from seq2seq_kit.interfaces import Decoder, DecoderState, Memory, NativeDecoder, ScoreKind
from seq2seq_kit.manifest import BEST, LAST
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.sealed import digest, explain_write_errors, read_json, seal_of_tensors, write_json

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep
    from seq2seq_kit._engine._native import CompiledStep

FORMAT = 1
FOLDER = "compiled"
PACKAGE = "step.pt2"
RECORD = "step.json"


@dataclass(frozen=True)
class Record:
    """The content of ``step.json``: equal records, equal code."""

    kit_version: str
    torch_version: str
    cpu: str
    """The kind of processor; its instructions are in the code."""
    weights: str
    """The seal of the file of weights."""
    model: str
    """The digest of the model's configuration."""

    @staticmethod
    def of(run: Path, config: RunConfig, which: Literal["best", "last"]) -> Record:
        """Of code that would be compiled now."""
        model = json.dumps(config.model.model_dump(mode="json"), sort_keys=True)
        return Record(
            kit_version=__version__,
            torch_version=torch.__version__,
            cpu=cpu_kind(),
            weights=seal_of_tensors(run / (BEST if which == "best" else LAST)),
            model=hashlib.sha256(model.encode()).hexdigest(),
        )


@dataclass(frozen=True)
class CompiledDecoder(NativeDecoder):
    """A decoder whose step is compiled: in a search it needs no Python."""

    code: CompiledStep
    init_state: Callable[[Memory | None, int], DecoderState]
    names: list[list[str]]
    """Of the state's tensors (rows, history, sentences), in the order in which the code takes them."""

    def begin(self, memory: Memory | None, batch_size: int) -> NativeStep:
        """The step of one batch."""
        state = self.init_state(memory, batch_size)
        if state_names(state) != self.names:
            raise SearchError(
                f"the compiled step was made for a state of {self.names}, and this one has {state_names(state)}: "
                "run s2s compile again"
            )
        return self.code.begin(state)


def save(run: Path, record: Record, kind: ScoreKind, names: list[list[str]], write: Callable[[Path], None]) -> Path:
    """Let ``write`` make the package in the run folder, and write what it is made of; returns its path.

    While that lasts, and if it fails, what was there before stays.
    """
    folder = run / FOLDER
    new = folder / f"new-{os.getpid()}.pt2"
    with explain_write_errors(folder):
        folder.mkdir(exist_ok=True)
        try:
            write(new)
            values = {"format": FORMAT, **asdict(record), "kind": kind, "names": names, "package": digest(new)}
            os.replace(new, folder / PACKAGE)
            write_json(folder / RECORD, values)
        finally:
            new.unlink(missing_ok=True)
    return folder / PACKAGE


def load(run: Path, config: RunConfig, decoder: Decoder, which: Literal["best", "last"]) -> CompiledDecoder:
    """Load the run's compiled step, which runs code from the run folder.

    Raises:
        CheckpointError: there is none, it is damaged, or it was compiled from or for something else.
    """
    from seq2seq_kit._engine._native import CompiledStep

    if decoder_device(decoder).type != "cpu":
        raise UserError("stepper 'compiled' is for the CPU: leave out the device, or decode with stepper 'auto'")
    path, again = run / FOLDER / PACKAGE, f"run s2s compile {run}"
    if not path.exists() or not (run / FOLDER / RECORD).exists():
        raise CheckpointError(f"{path}: there is no compiled step: {again} first")
    values = read_json(run / FOLDER / RECORD)
    if values.get("format") != FORMAT:
        raise CheckpointError(f"{run / FOLDER / RECORD}: has format {values.get('format')!r}, not {FORMAT}: {again}")
    for field, here in asdict(Record.of(run, config, which)).items():
        if values[field] != here:
            other = "from other" if field in ("weights", "model") else "for another"
            what = {"model": "model configuration", "cpu": "processor"}.get(field, field.replace("_", " "))
            raise CheckpointError(f"{path}: was compiled {other} {what} ({values[field]}, here {here}): {again}")
    if digest(path) != values["package"]:
        raise CheckpointError(f"{path}: is damaged: its content does not match its sha256 in {RECORD}: {again}")
    runners = max(os.cpu_count() or 1, torch.get_num_threads())  # searches at the same time; they share the weights
    return CompiledDecoder(CompiledStep(str(path), values["kind"], runners), decoder.init_state, values["names"])


def state_names(state: DecoderState) -> list[list[str]]:
    """The names of rows, history and sentences, each in its order."""
    return [list(state.rows), list(state.history), list(state.sentences)]


def decoder_device(decoder: Decoder) -> torch.device:
    """Where a decoder is; the CPU where it has no parameters."""
    return next((parameter.device for parameter in decoder.parameters()), torch.device("cpu"))


def cpu_kind() -> str:
    """What tells processors apart for which code is compiled: architecture, and which instructions there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    except OSError:
        flags = platform.processor()
    words = " ".join(sorted(flags.partition(":")[2].split())) or flags
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {_short(words)}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
