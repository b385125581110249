"""A golden run folder: a small run of an earlier release, and what it wrote then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.manifest import BEST, MANIFEST, TOKENIZERS, read_manifest
from seq2seq_kit.sealed import read_json, write_json
from seq2seq_kit.testing.report import ContractError, Finding, Report

GOLDEN = "golden.json"
"""What the run wrote when it was recorded: a list of sources with their n-best."""


def record_golden(run: str | Path, folder: str | Path, sources: Sequence[str]) -> None:
    """Copy what decoding needs of a run into ``folder``, and beside it what the run writes for ``sources`` now.

    Keep the folder with your tests, and let :func:`check_golden` decode it with every later release.

    Args:
        run: a run folder, as small as will do.
        folder: new or empty.
        sources: what to decode, with the run's own search options; for a task without a source, what outputs start
            with.

    Raises:
        UserError: ``folder`` is not empty, or there are no sources.
        CheckpointError: the run is missing or damaged.
    """
    run, folder = Path(run), Path(folder)
    if not sources or isinstance(sources, str):
        raise UserError("sources holds nothing to decode: give a list of sentences")
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; a recording is not written over: remove it first")
    manifest = read_manifest(run)
    outputs = _decode(run, sources)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(run / TOKENIZERS, folder / TOKENIZERS)
    for name in (MANIFEST, BEST):
        shutil.copyfile(run / name, folder / name)
    components = [asdict(component) for component in manifest.components]
    write_json(folder / GOLDEN, {"kit_version": manifest.kit_version, "components": components, "outputs": outputs})


def check_golden(folder: str | Path, *, tolerance: float = 1e-4) -> Report:
    """Decode a recorded run again: the same texts in the same order, with the same scores.

    Args:
        folder: what :func:`record_golden` wrote.
        tolerance: by how much scores may differ, in nats.

    Returns: a finding for each source.

    Raises:
        ContractError: an output is another one; the message has a sentence for each source. It is an
            ``AssertionError``.
        CheckpointError: the run cannot be loaded any more, or is damaged.
        UserError: ``folder`` holds no recording.
    """
    folder = Path(folder)
    if not (folder / GOLDEN).exists():
        raise UserError(f"{folder}: holds no {GOLDEN}, which record_golden writes")
    recorded: list[dict[str, Any]] = read_json(folder / GOLDEN)["outputs"]
    found = _decode(folder, [one["source"] for one in recorded])
    findings = []
    for now, then in zip(found, recorded, strict=True):
        difference = _difference(now["n_best"], then["n_best"], tolerance)
        verdict, detail = ("FAILED", difference) if difference else ("ok", "the same outputs and scores")
        findings.append(Finding(json.dumps(then["source"], ensure_ascii=False), verdict, detail))  # type: ignore[arg-type]
    report = Report(f"the golden run {folder.name}", tuple(findings))
    if report.faults:
        raise ContractError(report)
    return report


def _decode(run: Path, sources: Sequence[str]) -> list[dict[str, Any]]:
    """The n-best of each source, each decoded alone, by the decoder's own step."""
    pipeline = load(run, stepper="python")
    found = []
    for source in sources:
        [output] = pipeline.outputs([Example(source)], pipeline.options())
        n_best = [{"text": one.text, "score": one.score} for one in (output, *output.alternatives)]
        found.append({"source": source, "n_best": n_best})
    return found


def _difference(now: list[dict[str, Any]], then: list[dict[str, Any]], tolerance: float) -> str | None:
    """The first difference of two n-best lists in words."""
    if len(now) != len(then):
        return f"{len(now)} outputs in place of {len(then)}"
    for i, (one, other) in enumerate(zip(now, then, strict=True), 1):
        if one["text"] != other["text"]:
            return f"output {i} is {one['text']!r}, and was {other['text']!r}"
        if not abs(one["score"] - other["score"]) <= tolerance and one["score"] != other["score"]:
            return f"output {i} has the score {one['score']:.6g}, and had {other['score']:.6g}"
    return None
