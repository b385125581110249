"""The mean of several checkpoints, as a run folder that decodes (Vaswani et al. 2017, section 6.1)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from seq2seq_kit.errors import CheckpointError, UserError
from seq2seq_kit.manifest import BEST, MANIFEST, TOKENIZERS, Manifest, check_task_files, read_manifest
from seq2seq_kit.sealed import explain_write_errors, read_json, read_tensors, write_json, write_tensors
from seq2seq_kit.training.kept_weights import kept_step, kept_weights
from seq2seq_kit.training.run_folder import check_empty


def average(files: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """Average the weights in ``files`` and write them, with what the first one's run needs to decode, to ``out``.

    The mean is taken in float64 and rounded once. The new run folder has no training state: it can be decoded with,
    evaluated, and trained from, but not resumed. Its weights' facts name every file that was averaged.

    Args:
        files: weight files of one or several run folders, two at least; see :func:`weight_files`.
        out: a new or empty folder.

    Returns:
        What is averaged, one entry a file: ``file``, ``step``, ``metric`` and ``metrics``.

    Raises:
        CheckpointError: a folder or file is missing or damaged, or the runs do not fit each other: another model,
            other tokenizers, other parameters; the message names the field, the file or the parameter.
        UserError: there are fewer than two files, or ``out`` is not empty.
    """
    if len(files) < 2:
        raise UserError(f"{' '.join(map(str, files))}: one set of weights is no average; give two at least")
    check_empty(out)
    run = files[0].parent
    manifest = read_manifest(run)
    for other in dict.fromkeys(file.parent for file in files[1:]):
        if other != run:
            _check_same_model(run, manifest, other, read_manifest(other))
    check_task_files(run, manifest)
    tensors, averaged = _mean(files)
    existed = out.exists()
    try:
        with explain_write_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            shutil.copytree(run / TOKENIZERS, out / TOKENIZERS)
        write_tensors(out / BEST, tensors, {"step": max(facts["step"] for facts in averaged), "averaged": averaged})
        write_json(out / MANIFEST, read_json(run / MANIFEST))
    except BaseException:  # a full disk, Ctrl-C
        if not existed:
            shutil.rmtree(out, ignore_errors=True)
        raise
    return averaged


def weight_files(run: Path, *, best: int | None = None, last: int | None = None) -> list[Path]:
    """Weight files of a run: the best or the last ones of those that it kept (``training.keep_best``,
    ``training.keep_last``), or else its best weights alone.

    Args:
        best: how many, the best first by the run's validation metric (an earlier one where two are equal).
        last: how many, the latest first.

    Raises:
        CheckpointError: the run has fewer, or is none.
    """
    read_manifest(run)
    wanted = best or last
    if wanted is None:
        return [run / BEST]
    kept = kept_weights(run)
    if len(kept) < wanted:
        option = "keep_best" if best else "keep_last"
        raise CheckpointError(
            f"{run}: keeps the weights of {len(kept)} validations, not of {wanted}; "
            f"training.{option}={wanted} would have kept them"
        )
    return (kept if best else sorted(kept, key=kept_step, reverse=True))[:wanted]


def _mean(files: Sequence[Path]) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The mean of each tensor, and the facts of each file; one file is in memory at a time."""
    first, facts = read_tensors(files[0])
    sums = {name: tensor.double() for name, tensor in first.items() if tensor.is_floating_point()}
    averaged = [{"file": str(files[0]), **facts}]
    for file in files[1:]:
        tensors, facts = read_tensors(file)
        _check_same_tensors(files[0], first, file, tensors)
        for name, total in sums.items():
            total += tensors[name]
        averaged.append({"file": str(file), **facts})
    means = {name: (total / len(files)).to(first[name].dtype) for name, total in sums.items()}
    return {**first, **means}, averaged  # what is no floating-point number (a count) is that of the first


def _check_same_tensors(file: Path, tensors: dict[str, Tensor], other_file: Path, others: dict[str, Tensor]) -> None:
    what = f"{other_file}: cannot be averaged with {file}"
    for here, there, name in ((tensors, others, other_file), (others, tensors, file)):
        missing = [parameter for parameter in here if parameter not in there]
        if missing:
            raise CheckpointError(f"{what}: {name} has no parameter {missing[0]}")
    for parameter, tensor in tensors.items():
        one, two = list(tensor.shape), list(others[parameter].shape)
        if one != two:
            raise CheckpointError(f"{what}: the parameter {parameter} has the shape {two}, not {one}")


def _check_same_model(run: Path, manifest: Manifest, other_run: Path, other: Manifest) -> None:
    """Weights of equal shapes can still mean other things: other tokens, another number of heads."""
    what = f"{other_run}: cannot be averaged with {run}"
    field, one, two = _first_difference(manifest.config["model"], other.config["model"], "model") or ("", None, None)
    if field:
        raise CheckpointError(f"{what}: {field} is {json.dumps(two)}, not {json.dumps(one)}")
    for name in sorted({*manifest.files, *other.files}):
        if manifest.files.get(name) != other.files.get(name):
            raise CheckpointError(f"{what}: its tokenizers are others ({name} differs)")


def _first_difference(one: Any, two: Any, path: str) -> tuple[str, Any, Any] | None:
    """Where two configurations differ first, and both values there."""
    if isinstance(one, dict) and isinstance(two, dict):
        for name in {**one, **two}:
            found = _first_difference(one.get(name), two.get(name), f"{path}.{name}")
            if found:
                return found
        return None
    return None if one == two else (path, one, two)
