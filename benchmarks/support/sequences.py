"""Trains a model of short sequences by the command line, and scores it by how many outputs are right."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.support import results, translation
from benchmarks.support.harness import ROOT, Options
from seq2seq_kit.metrics.error_rate import PhonemeErrorRate, PhonemeErrorRateConfig
from seq2seq_kit.metrics.exact import ExactMatch, ExactMatchConfig

CONVERTED = ROOT / "runs" / "data"
"""Where corpora are written in the form that ``s2s train`` reads; they are the same each time."""


def write(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write SOURCE TAB TARGET lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")


def score(folder: Path, test: translation.TestSet, options: Options) -> tuple[dict[str, float], str]:
    """Decode a test set with the run's own search options.

    Returns:
        ``exact``: the percentage of outputs that equal any of their references; ``edits``: tokens to be inserted,
        deleted or changed for the nearest reference, per 100 of its tokens; and how long it took, in words.
    """
    start = time.perf_counter()
    outputs = translation.translate(folder, test.sources, options.threads)
    took = f"{time.perf_counter() - start:.0f} s for {len(test.sources):,} sources, start-up included"
    exact = ExactMatch(ExactMatchConfig())(outputs, test.references)
    edits = PhonemeErrorRate(PhonemeErrorRateConfig())(outputs, test.references)
    return {"exact": exact, "edits": edits}, took


def row(case: str, unit: str, value: float) -> results.Row:
    """The row of one figure."""
    value = round(value, 2)
    return results.Row(case=case, system="kit", unit=unit, samples=[value], median=value)
