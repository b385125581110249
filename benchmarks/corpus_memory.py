"""Does memory grow with the corpus? Anonymous resident memory with 50,000 and with 5,000,000 training lines.

The lines are generated: 2 to 6 words a side, drawn from 2,000. Each case is a process of its own. ``new``: it reads
them, learns its vocabularies and encodes them. ``resumed``: it finds what was encoded. Then (``batched``) it cuts an
epoch into batches and takes up to a hundred of them. Measured is RssAnon of /proc/self/status: memory that is the
process' own, and not pages of files, which the system takes back when it needs them. 12 bytes an example are for
lengths and order.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.support import results
from benchmarks.support.harness import Options

LINES = (50_000, 5_000_000)
BYTES = 16
"""Allowed an example, beside which memory may grow by a tenth."""


def run(options: Options) -> results.Result:
    """Measure both sizes."""
    measured: dict[int, dict[str, dict[str, float]]] = {}
    for lines in LINES:
        with tempfile.TemporaryDirectory() as name:
            write_lines(Path(name) / "lines.tsv", lines)
            measured[lines] = {part: _process(part, Path(name)) for part in ("new", "resumed")}
    rows, growth = [], {}
    for part, moment in (("new", "loaded"), ("new", "batched"), ("resumed", "loaded"), ("resumed", "batched")):
        case = f"{part}, {moment}"
        mebibytes = [measured[lines][part][moment] for lines in LINES]
        for lines, value in zip(LINES, mebibytes, strict=True):
            row = results.Row(case=case, system=f"{lines:,} lines", unit="MiB", samples=[value], median=value)
            rows.append(row)
        small, large = (m - BYTES * lines / 2**20 for m, lines in zip(mebibytes, LINES, strict=True))
        growth[case] = round(large / small, 3)
    settings: dict[str, Any] = {
        f"large to small, {BYTES} bytes an example aside": ", ".join(f"{case}: {g}" for case, g in growth.items()),
        "seconds of a new run until loaded": ", ".join(
            f"{lines:,} lines: {measured[lines]['new']['seconds']:.0f}" for lines in LINES
        ),
        "seconds of a resumed run until loaded": ", ".join(
            f"{lines:,} lines: {measured[lines]['resumed']['seconds']:.1f}" for lines in LINES
        ),
        "seconds to cut an epoch into batches": ", ".join(
            f"{lines:,} lines: {measured[lines]['resumed']['batching']:.1f}" for lines in LINES
        ),
        "tokenizer": "word, split at white space",
    }
    versions = {name: version(name) for name in ("seq2seq_kit", "torch", "pyarrow", "tokenizers")}
    return results.Result(
        name="corpus_memory",
        date=results.today(),
        machine=results.machine(),
        versions=versions,
        settings=settings,
        rows=rows,
    )


def write_lines(path: Path, count: int) -> None:
    """Lines of random words, 100,000 at a time."""
    import numpy as np

    words = np.array([f"w{i}" for i in range(2000)])
    generator = np.random.default_rng(1)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, count, 100_000):
            many = min(100_000, count - start)
            drawn = iter(words[generator.integers(len(words), size=12 * many)].tolist())
            for source, target in generator.integers(2, 7, size=(many, 2)).tolist():
                sides = (" ".join(next(drawn) for _ in range(size)) for size in (source, target))
                file.write("\t".join(sides) + "\n")


def _process(part: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.corpus_memory", part, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def _measure(part: str, folder: Path) -> dict[str, float]:
    """Load the corpus in this process and say how much memory that took, in MiB, and how long."""
    from seq2seq_kit.config import validate
    from seq2seq_kit.data.config import DataConfig
    from seq2seq_kit.tasks.translation import Translation, TranslationConfig
    from seq2seq_kit.training.corpus import load_corpus, token_batches

    lines = folder / "lines.tsv"
    dev = folder / "dev.tsv"
    dev.write_text("w1 w2\tw3 w4\n")
    config = validate(DataConfig, {"train": [str(lines)], "dev": [str(dev)]}, "benchmark")
    task = Translation(validate(TranslationConfig, {"source_tokenizer": {"name": "word", "split": "whitespace"}}, "b"))
    if part == "resumed":
        task.load(folder)
    start = time.perf_counter()
    corpus = load_corpus(config, task, prepare=part == "new", folder=folder / "data")
    seconds, loaded = time.perf_counter() - start, _anonymous()
    start = time.perf_counter()
    batches = token_batches(corpus.train, 4096, seed=1).batches(0)
    batching = time.perf_counter() - start
    for index in range(min(100, len(batches))):
        task.collate(corpus.train.take(batches[index], 0))
    if part == "new":
        task.save(folder)
    return {"loaded": loaded, "batched": _anonymous(), "seconds": seconds, "batching": batching}


def _anonymous() -> float:
    """This process' anonymous resident memory in MiB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
