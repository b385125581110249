"""Does a long stream of sentences leave memory and results as they were?

The small model of ``decode`` translates a million sentences (``--set sentences=N``) of 1 to 60 words, one in 500 of up
to 480, greedily in int8, in batches of 32 as they come out of one stream. Every 2,000th sentence begins a block of 50
that is always the same, among others each time: its outputs must be those of the first time, though in other batches.
Memory is read 20 times. ``--run`` takes another run folder whose source is text.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.decode import PEERS, run_command
from benchmarks.support import marian, results
from benchmarks.support.environments import environment
from benchmarks.support.harness import Options
from benchmarks.support.peak_memory import resident

SENTENCES, EVERY, BLOCK, MARKS = 1_000_000, 2_000, 50, 20


def run(options: Options) -> results.Result:
    """Decode and watch."""
    settings = dict(override.partition("=")[::2] for override in options.overrides)
    count = int(settings.get("sentences", SENTENCES))
    python = str(environment("decode-peers", PEERS, ours=True, plugins=["seq2seq-kit-hf"]))
    with tempfile.TemporaryDirectory() as folder:
        run_folder = options.run
        if run_folder is None:
            run_command([python, "-m", "benchmarks.support.marian", folder, "small"], options)
            run_folder = Path(folder) / "small" / "run"
        command = [python, "-m", "benchmarks.stress_decode", str(run_folder), str(count), str(options.threads)]
        found: dict[str, Any] = json.loads(run_command(command, options))
    memory, again = found["memory"], found["again"]
    if not again:
        raise SystemExit(f"sentences={count}: nothing comes again before the {EVERY + 1:,}th")
    rows = [
        results.Row(case="memory", system="kit, int8", unit="MiB", samples=memory, median=sorted(memory)[MARKS // 2]),
        _row("first fifth to last fifth", "MiB more", sum(memory[-4:]) / 4 - sum(memory[:4]) / 4),
        _row("repeated sentences", "% equal", 100 * found["equal"] / again),
        _row("rate", "sentences/s", count / found["seconds"]),
    ]
    return results.Result(
        name="stress_decode",
        date=results.today(),
        machine=results.machine(),
        versions={name: version(name) for name in ("torch", "seq2seq_kit")},
        settings={
            "sentences": f"{count:,}",
            "target tokens": f"{found['tokens']:,}",
            "repeated": f"{again:,} sentences compared with their first outputs",
            "threads": options.threads,
        },
        rows=rows,
    )


def sources(count: int) -> Iterator[str]:
    """So many sentences, at the same places the same ones."""
    known, drawn = marian.words("small"), random.Random(1)

    def sentence(words: random.Random) -> str:
        longest = 480 if words.random() < 0.002 else 60
        return " ".join(words.choices(known, k=words.randint(1, longest)))

    fixed = random.Random(2)
    block = [sentence(fixed) for _ in range(BLOCK)]
    for i in range(count):
        place = i % EVERY
        yield block[place] if place < BLOCK else sentence(drawn)


def watch(folder: Path, count: int, threads: int) -> dict[str, Any]:
    """Decode ``count`` sentences in this process."""
    from seq2seq_kit import load
    from seq2seq_kit.interfaces import Example

    pipeline = load(folder, threads=threads, precision="int8", stepper="native")
    options = pipeline.options(semantics="ct2", beam_size=1, max_length=marian.TARGET_LENGTH)
    first: dict[int, list[str]] = {}
    memory: list[float] = []
    again = equal = tokens = 0
    start = time.perf_counter()
    for i, output in enumerate(pipeline.outputs(map(Example, sources(count)), options)):
        tokens += len(output.tokens)
        place = i % EVERY
        if place in first:
            again, equal = again + 1, equal + (output.tokens == first[place])
        elif place < BLOCK:
            first[place] = output.tokens
        if (i + 1) * MARKS // count > i * MARKS // count:
            memory.append(round(resident("VmRSS") / 2**20, 1))
    seconds = time.perf_counter() - start
    return {"memory": memory, "equal": equal, "again": again, "tokens": tokens, "seconds": seconds}


def _row(case: str, unit: str, value: float) -> results.Row:
    value = round(value, 2)
    return results.Row(case=case, system="kit, int8", unit=unit, samples=[value], median=value)


if __name__ == "__main__":
    print(json.dumps(watch(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
