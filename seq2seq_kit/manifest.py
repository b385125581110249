"""The run folder's files by name, and ``checkpoint.json``: what a run is made of, and where that came from.

Read without torch, and without the run's plugins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_kit import __version__
from seq2seq_kit.errors import CheckpointError, PluginError
from seq2seq_kit.plugins import Provided
from seq2seq_kit.registry import SCRIPT, registry
from seq2seq_kit.sealed import digest, read_json

FORMAT = 1
"""The version of the run folder's layout."""

MANIFEST = "checkpoint.json"
BEST = "model.safetensors"
LAST = "training.safetensors"
TOKENIZERS = "tokenizers"
MODEL_PREFIX = "model."
"""What the names of weights start with in :data:`LAST`, where other tensors lie beside them."""


@dataclass(frozen=True)
class SavedComponent:
    """A component that a run was trained with, and where it came from."""

    path: str  # its section of the configuration, e.g. "model.decoder"
    kind: str
    name: str  # as declared, without the distribution
    distribution: str
    version: str
    state_version: int

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.distribution} {self.version}"

    def installed(self) -> Provided | None:
        """The component as it is here; None where it is not."""
        try:
            return registry().find(self.kind, f"{self.distribution}/{self.name}")
        except PluginError:
            return None

    def remedy(self) -> str:
        """What to do where it is missing here, or of another release."""
        if self.distribution == SCRIPT.distribution:
            return "a program registered it; call seq2seq_kit.register(...) with it before loading"
        if self.distribution in registry().plugins.disabled:
            return "it is disabled by S2S_DISABLE_PLUGINS"
        for broken in registry().plugins.broken:
            if broken.provider.distribution == self.distribution:
                return str(broken)
        return f"pip install {self.distribution}=={self.version}"


@dataclass(frozen=True)
class Manifest:
    """The content of ``checkpoint.json``."""

    kit_version: str
    torch_version: str
    config: dict[str, Any]
    components: list[SavedComponent]
    files: dict[str, str]  # path within the run folder -> SHA-256, for each file of the task


def read_manifest(run: Path) -> Manifest:
    """Read ``checkpoint.json``; needs no plugin. Raises :class:`CheckpointError`."""
    if not run.exists():
        raise CheckpointError(f"{run}: there is no such run folder")
    if not run.is_dir():
        raise CheckpointError(f"{run}: is not a run folder but a file")
    path = run / MANIFEST
    if not path.exists():
        raise CheckpointError(f"{run}: is not a run folder: it holds no {MANIFEST}, which 's2s train' writes")
    values = read_json(path)
    if values.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: has format {values.get('format')!r}, written by seq2seq_kit {values.get('kit_version')}; "
            f"seq2seq_kit {__version__} here reads format {FORMAT}"
        )
    try:
        components = [SavedComponent(**component) for component in values["components"]]
        return Manifest(values["kit_version"], values["torch_version"], values["config"], components, values["files"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: is incomplete: {error}") from None


def check_task_files(run: Path, manifest: Manifest) -> None:
    """Compare the files that the task saved with their digests; raises :class:`CheckpointError`."""
    for name, expected in manifest.files.items():
        check_task_file(run, name, expected)


def check_task_file(run: Path, name: str, expected: str) -> None:
    """The same of one file, by its path within the run folder."""
    if digest(run / name) != expected:
        raise CheckpointError(f"{run / name}: is damaged: its content does not match its sha256 in {MANIFEST}")
