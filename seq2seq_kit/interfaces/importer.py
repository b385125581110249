"""The contract of importers of other toolkits' checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces.types import TensorDict

if TYPE_CHECKING:
    from seq2seq_kit.decoding.pipeline import Pipeline


@dataclass
class Imported:
    """What an importer makes of another toolkit's checkpoint."""

    config: Mapping[str, Any]
    """The configuration of the run, as in a YAML file: ``task``, ``model``, ``search``. Its tokenizers are such as are
    prepared without any text to learn from. Where it has no ``data`` and ``training``, those are placeholders."""
    tensors: TensorDict
    """The weights, by the names that the parameters of the configured model have (one name for what is shared)."""
    facts: dict[str, Any] = field(default_factory=dict)
    """JSON values that are kept with the weights: where they come from."""


class Importer(ABC):
    """Makes runs of another toolkit's checkpoints, and the other way round where it can. Built as ``cls(config)``; the
    commands ``s2s import NAME`` and ``s2s export NAME``."""

    @abstractmethod
    def read(self, source: str) -> Imported:
        """The checkpoint called ``source``: a folder, or what else the toolkit has for a name.

        Raises:
            UserError: there is none, or it has something that the kit has not; the message names it.
        """

    def write(self, run: Pipeline, folder: Path) -> None:
        """Write a loaded run as a checkpoint of the other toolkit into ``folder``, which is there and empty.

        Raises:
            UserError: that toolkit has no such model; the message says which part of it.
        """
        raise UserError(f"{type(self).__name__} only imports")
