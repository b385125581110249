"""What a run folder holds, read without torch and without the plugins that it needs."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.manifest import (
    BEST,
    LAST,
    MODEL_PREFIX,
    Manifest,
    SavedComponent,
    check_task_file,
    read_manifest,
)
from seq2seq_kit.sealed import TensorHeader, read_headers
from seq2seq_kit.training.log import METRICS, read_metrics

_PIECES = 8
"""How many first and last pieces of a vocabulary to name."""


@dataclass(frozen=True)
class Provenance:
    """A component of the run: where it came from, and what is here."""

    saved: SavedComponent
    installed: str | None
    """The version of its distribution that is installed; None: it cannot be used here."""
    problem: str | None
    """Why it cannot be used here, or only after a migration, and what to do."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's file."""

    file: str
    model: str
    """``WordLevel``, ``BPE``, ``Unigram``, …"""
    size: int
    special: list[str]
    first: list[str]
    """The first pieces after the special ones: of words and characters the most frequent ones."""
    last: list[str]


@dataclass(frozen=True)
class Module:
    """The parameters of a module, those of the modules in it counted."""

    name: str
    tensors: int
    numbers: int
    dtypes: list[str]


@dataclass
class Inspection:
    """All that can be read of a run; ``problems`` are sentences on what could not."""

    run: Path
    manifest: Manifest
    components: list[Provenance]
    weights_file: str | None
    weights_facts: dict[str, Any]
    tensors: dict[str, TensorHeader]
    vocabularies: list[Vocabulary]
    training: list[dict[str, Any]]
    """The records of ``metrics.jsonl`` of each kind."""
    validations: list[dict[str, Any]]
    files: dict[str, int]
    """Bytes of each file; of a folder, of all in it."""
    problems: list[str] = field(default_factory=list)

    @property
    def best(self) -> dict[str, Any] | None:
        """The last validation that was the best so far."""
        return next((record for record in reversed(self.validations) if record.get("best")), None)

    @property
    def last(self) -> dict[str, Any] | None:
        """The last validation."""
        return self.validations[-1] if self.validations else None

    def modules(self, depth: int) -> list[Module]:
        """The modules down to ``depth`` names, each before those in it, in the order of the file."""
        tensors: Counter[str] = Counter()
        numbers: Counter[str] = Counter()
        dtypes: dict[str, set[str]] = {}
        for name, tensor in self.tensors.items():
            parts = name.split(".")[:-1] or [name]
            for length in range(1, min(depth, len(parts)) + 1):
                module = ".".join(parts[:length])
                tensors[module] += 1
                numbers[module] += math.prod(tensor.shape)
                dtypes.setdefault(module, set()).add(tensor.dtype)
        return [Module(name, tensors[name], numbers[name], sorted(dtypes[name])) for name in sorted(tensors)]

    def report(self, depth: int) -> dict[str, Any]:
        """What a program would read."""
        return {
            "run": str(self.run),
            "kit_version": self.manifest.kit_version,
            "torch_version": self.manifest.torch_version,
            "config": self.manifest.config,
            "components": [
                {**vars(one.saved), "installed": one.installed, "problem": one.problem} for one in self.components
            ],
            "weights": {"file": self.weights_file, "facts": self.weights_facts},
            "parameters": sum(math.prod(tensor.shape) for tensor in self.tensors.values()),
            "modules": [asdict(module) for module in self.modules(depth)],
            "vocabularies": [asdict(vocabulary) for vocabulary in self.vocabularies],
            "best": self.best,
            "last": self.last,
            "trained": self.training[-1] if self.training else None,
            "files": self.files,
            "problems": self.problems,
        }


def inspect_run(run: Path) -> Inspection:
    """Read a run folder.

    Raises:
        CheckpointError: it is no run folder, or its ``checkpoint.json`` is damaged. What else is damaged is told in
            ``problems``.
    """
    manifest = read_manifest(run)
    records = read_metrics(run / METRICS)
    found = Inspection(
        run=run,
        manifest=manifest,
        components=[_provenance(saved) for saved in manifest.components],
        weights_file=None,
        weights_facts={},
        tensors={},
        vocabularies=[],
        training=[record for record in records if record["kind"] == "train"],
        validations=[record for record in records if record["kind"] == "validation"],
        files={path.name: _bytes(path) for path in sorted(run.iterdir())},
    )
    _read_weights(found)
    for name, digest in manifest.files.items():
        try:
            check_task_file(run, name, digest)
        except CheckpointError as error:
            found.problems.append(str(error))
        else:
            vocabulary = _vocabulary(run / name, name)
            found.vocabularies += [vocabulary] if vocabulary else []
    return found


def _provenance(saved: SavedComponent) -> Provenance:
    provided = saved.installed()
    if provided is None:
        return Provenance(saved, None, f"is not installed here: {saved.remedy()}")
    here = provided.component.state_version
    problem = None
    if here != saved.state_version:
        problem = f"was saved with state version {saved.state_version}, here is {here}"
    return Provenance(saved, provided.provider.version, problem)


def _read_weights(found: Inspection) -> None:
    """The best weights; where there are none yet, those of the last state."""
    file = BEST if (found.run / BEST).exists() or not (found.run / LAST).exists() else LAST
    try:
        tensors, found.weights_facts = read_headers(found.run / file)
    except CheckpointError as error:
        found.problems.append(str(error))
        return
    if file == LAST:
        own = (name for name in tensors if name.startswith(MODEL_PREFIX))
        tensors = {name[len(MODEL_PREFIX) :]: tensors[name] for name in own}
    found.weights_file, found.tensors = file, tensors


def _vocabulary(path: Path, name: str) -> Vocabulary | None:
    """The vocabulary of a file of Hugging Face ``tokenizers``, as the built-in ones write; None of any other file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        model, entries = values["model"], values["model"]["vocab"]
        if isinstance(entries, dict):
            pieces = sorted(entries, key=entries.__getitem__)
        else:
            pieces = [piece for piece, _ in entries]
        added = [entry["content"] for entry in values.get("added_tokens", [])]
        kind = str(model.get("type", "unknown"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    learnt = [piece for piece in pieces if piece not in added]
    size = len(learnt) + len(added)
    return Vocabulary(name, kind, size, added, learnt[:_PIECES], learnt[max(_PIECES, len(learnt) - _PIECES) :])


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir())
    return path.lstat().st_size
