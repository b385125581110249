"""The weights that a run keeps beside the best ones: ``weights-<step>.safetensors``, for averaging and comparison."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seq2seq_kit.sealed import read_tensors

_PREFIX = "weights-"


def kept_name(step: int) -> str:
    """The file of the weights of a step."""
    return f"{_PREFIX}{step}.safetensors"


def kept_step(path: Path) -> int:
    """The step of such a file; -1 for any other file."""
    digits = path.stem.removeprefix(_PREFIX)
    return int(digits) if path.name.startswith(_PREFIX) and digits.isdecimal() else -1


def kept_weights(run: Path) -> list[Path]:
    """The files of the weights that a run keeps, the best first by its validation metric, of equals the earlier one.

    Raises:
        CheckpointError: one of them is damaged.
    """

    def order(path: Path) -> tuple[float, int]:
        _, facts = read_tensors(path)
        value = facts["metrics"][facts["metric"]]
        return (-value if facts["higher_is_better"] else value), kept_step(path)

    return sorted(_files(run), key=order)


def remove_others(run: Path, steps: Iterable[int]) -> None:
    """Delete the files of all other steps."""
    wanted = set(steps)
    for path in _files(run):
        if kept_step(path) not in wanted:
            path.unlink(missing_ok=True)


def _files(run: Path) -> list[Path]:
    return [path for path in run.glob(f"{_PREFIX}*.safetensors") if kept_step(path) >= 0]
