"""A checkpoint as transformers' ``save_pretrained`` writes it: a folder of JSON, safetensors and tokenizer files.

They are read by this package itself, not by transformers: that is a matter of a few hundred lines, against a dependency
of tens of megabytes whose versions differ in what they load, and nothing is ever unpickled or run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save_file
from torch import Tensor

from seq2seq_kit import UserError

HUB = "hf:"
"""What the name of a checkpoint on the Hugging Face hub begins with; anything else is a folder."""
CONFIG, GENERATION, WEIGHTS = "config.json", "generation_config.json", "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
SMALL = ("*.json", "*.txt", "*.spm", "*.model")


def folder_of(source: str, *patterns: str) -> Path:
    """The folder of a checkpoint; one of the hub (``hf:Helsinki-NLP/opus-mt-en-de``) is fetched into its cache.

    Args:
        patterns: which files are wanted, of the hub's.
    """
    if source.startswith(HUB):
        return _from_hub(source[len(HUB) :], patterns)
    folder = Path(source)
    if not (folder / CONFIG).is_file():
        problem = f"it holds no {CONFIG}" if folder.is_dir() else "there is no such folder"
        raise UserError(f"{source}: is not a checkpoint of transformers: {problem} (one of the hub is {HUB}OWNER/NAME)")
    return folder


def _from_hub(name: str, patterns: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(patterns)))
    except Exception as error:  # of the network, of the hub, of the name: all different, all the user's to mend
        raise UserError(f"{HUB}{name}: cannot be fetched from the hub: {' '.join(str(error).split())}") from None


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is no file."""
    path = folder / name
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold a JSON object")
    return values


class Tensors:
    """The tensors of a checkpoint's safetensors files, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = read_json(folder, INDEX).get("weight_map")
        self._files: dict[str, str] = index or self._names_in(WEIGHTS)

    def names(self) -> set[str]:
        return set(self._files)

    def __getitem__(self, name: str) -> Tensor:
        """A tensor, in float32."""
        try:
            with safetensors.safe_open(self.folder / self._files[name], framework="pt") as file:
                return file.get_tensor(name).float()  # type: ignore[no-any-return]
        except (OSError, safetensors.SafetensorError) as error:
            raise self._damaged(self._files[name], error) from None

    def _names_in(self, file_name: str) -> dict[str, str]:
        path = self.folder / file_name
        if not path.exists():
            pickled = sorted(p.name for p in self.folder.glob("*.bin"))
            has = f"only {pickled[0]}, which is pickled and therefore not read" if pickled else "none"
            raise UserError(
                f"{self.folder}: weights are read from {file_name}, and there is {has}: "
                "write them with transformers' model.save_pretrained(folder, safe_serialization=True)"
            )
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                return dict.fromkeys(file.keys(), file_name)
        except (OSError, safetensors.SafetensorError) as error:
            raise self._damaged(file_name, error) from None

    def _damaged(self, file_name: str, error: Exception) -> UserError:
        return UserError(f"{self.folder / file_name}: is damaged, or no safetensors file: {error}")


def write_tensors(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Write ``model.safetensors``."""
    save_file({name: x.contiguous() for name, x in tensors.items()}, folder / WEIGHTS, metadata={"format": "pt"})
