"""How fast are models decoded, beside CTranslate2 and Hugging Face's ``generate`` with the same weights?

Marian models of random weights, *base* (512 wide, feed-forward 2,048, 6 + 6 layers, V = 32,000: 61 M parameters) and
*small* (256, 1,024, 3 + 3, V = 8,000: 7.6 M), which CTranslate2's converter and ``s2s import hf`` read from one folder.
Sources of 20 tokens, outputs of 30. A system is given a batch a thread at once, or the next sentence when the last is
answered (*one at a time*), and timed from text to tokens. CTranslate2 runs in every fair setting (``inter x intra``
threads, ``--threads`` in all): ratios are to the better one. Memory is the peak above that of a process that has only
imported the package. Beside each of our rates stands the nearer of two limits: reading the weights once a step, and
multiplying with them at the speed of our kernels in caches. ``--only "small, batch 32"`` measures a part; all of it in
half an hour: ``--rounds 5 --seconds 0.7``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.parity_ct2 import REQUIREMENTS
from benchmarks.support import marian, results
from benchmarks.support.ceilings import PRECISIONS
from benchmarks.support.decoders import Case, Decoding, System, maker
from benchmarks.support.environments import environment
from benchmarks.support.harness import ROOT, Measured, Options, measure
from benchmarks.support.worker import Job, serve

PEERS = [*REQUIREMENTS, "sentencepiece==0.2.1"]
KIT = tuple(f"kit, {precision}" for precision in PRECISIONS)
HF = ("Hugging Face, fp32", "Hugging Face, bf16")
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
CASES = {
    case.name: case
    for size in marian.SIZES
    for case in (
        *(Case(size, 1, beams, alone=True) for beams in (1, 5)),
        *(Case(size, batch, beams) for batch in (1, 8) for beams in (1, 5)),
        *(Case(size, 32, beams) for beams in (1, 4, 5)),
    )
}
NEAR = 5e-4
"""Sums of log-probabilities nearer than this are a tie, which rounding decides."""
Decided = Callable[[str, Mapping[int, tuple[Any, Any]]], Sequence[bool]]
"""Of n-best that differ, by the places of their sources: whether rounding decided. Called with the name of a case."""


def run(options: Options) -> results.Result:
    """Measure the chosen cases."""
    cases = [name for name in CASES if options.wants(name)]
    memory = [size for size in marian.SIZES if options.wants(memory_case(size))]
    if not cases and not memory:
        raise SystemExit(f"no case is named like {options.only} (there is: {'; '.join(CASES)}; base, memory)")
    python = str(environment("decode-peers", PEERS, ours=True, plugins=["seq2seq-kit-hf"]))
    with tempfile.TemporaryDirectory() as folder:
        sizes = sorted({CASES[name].size for name in cases} | {*memory})
        run_command([python, "-m", "benchmarks.support.marian", folder, *sizes], options)
        rows, ratios, settings, versions = [], [], {}, {}
        if cases:
            commands = {
                s: [python, "-m", "benchmarks.decode", folder, str(options.threads), s] for s in systems(options)
            }
            measured = measure(commands, cases, "target tokens", options)
            rows, versions = measured.rows, measured.versions
            ratios = [ratio for case in cases for ratio in compared(rows, case)]
            decided = partial(decided_by_rounding, python, Path(folder), options)
            settings = measured.settings | {"n-best equal to ours, fp32": equal_outputs(measured, cases, decided)}
            limit_rows, limit_ratios = limits(python, rows, cases, options)
            rows, ratios = rows + limit_rows, ratios + limit_ratios
        for size in memory:
            peaks = peak_memory(python, size, folder, options)
            rows = rows + peaks
            ratios = ratios + [smaller(peaks, ours, theirs) for ours, theirs in memory_pairs(options)]
    work = f"{marian.SOURCE_LENGTH} source and {marian.TARGET_LENGTH} target tokens a sentence"
    return results.Result(
        name="decode",
        date=results.today(),
        machine=results.machine(),
        versions=versions,
        settings={"work": work, **settings},
        rows=rows,
        ratios=ratios,
    )


def settings_of_ct2(options: Options) -> list[str]:
    """``inter x intra``: batches at once, and threads of each."""
    threads = options.threads
    return list(dict.fromkeys([f"{threads} x 1", f"1 x {threads}"]))


def systems(options: Options) -> list[str]:
    """All systems by name."""
    ct2 = [f"CTranslate2 {p}, {setting}" for p in ("float32", "int8") for setting in settings_of_ct2(options)]
    return [*KIT, *ct2, *HF]


def compared(rows: list[results.Row], case: str) -> list[results.Ratio]:
    """Ours beside theirs in the same precision, and the best of ours beside the best of theirs."""
    medians = {row.system: row.median for row in rows if row.case == case}

    def best(start: str) -> str:
        return max((system for system in medians if system.startswith(start)), key=medians.__getitem__)

    pairs = [
        ("kit, fp32", best("CTranslate2 float32")),
        (best("kit"), best("CTranslate2")),
        ("kit, fp32", "Hugging Face, fp32"),
        ("kit, bf16", "Hugging Face, bf16"),
    ]
    return [results.ratio(rows, case, ours, theirs) for ours, theirs in pairs]


def equal_outputs(measured: Measured, cases: Sequence[str], decided: Decided) -> dict[str, str]:
    """Of each case, how many sentences have the n-best that others find in float32, token for token."""
    found = {}
    for case in cases:
        for theirs in (f"CTranslate2 float32, {measured.settings['threads']} x 1", HF[0]):
            pairs = [*zip(measured.outputs[case, KIT[0]], measured.outputs[case, theirs], strict=True)]
            verdicts = [agreement(*pair) for pair in pairs]
            apart = {i: pair for i, pair in enumerate(pairs) if verdicts[i] == "different"}
            narrow = sum(decided(case, apart)) if apart else 0
            ties = {"near-ties": verdicts.count("near-tie"), "near-ties on the way": narrow}
            told = [f"{verdicts.count('equal')} of {len(pairs)}", *(f"{n} {kind}" for kind, n in ties.items() if n)]
            found[f"{case}, {theirs.partition(' float32')[0].partition(',')[0]}"] = ", ".join(told)
    return found


def decided_by_rounding(
    python: str, folder: Path, options: Options, name: str, pairs: Mapping[int, tuple[Any, Any]]
) -> list[bool]:
    """Whether n-best of sources (by their places) may be different because a beam has dropped what is as likely as what
    it has kept: the search in float64 does so by less than :data:`NEAR`, and scores are right."""
    case = CASES[name]
    if case.beams == 1:  # scores are not asked for
        return [False] * len(pairs)
    sources, asked = marian.sentences(case.size, case.sources(options.threads)), folder / "asked.json"
    asked.write_text(json.dumps([[sources[i], *lists] for i, lists in pairs.items()]), encoding="utf-8")
    model = folder / case.size / "hf"
    command = [python, "-m", "benchmarks.support.float64_search", str(model), str(case.beams), str(asked)]
    return [max(numbers) < NEAR for numbers in json.loads(run_command(command, options))]


def agreement(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    """``equal`` n-best; ``near-tie`` where tokens differ and sums of log-probabilities do not; or ``different``."""
    if [tokens for tokens, _ in ours] == [tokens for tokens, _ in theirs]:
        return "equal"
    gaps = [abs(a - b) for (_, a), (_, b) in zip(ours, theirs, strict=True)]
    return "near-tie" if len(ours) > 1 and max(gaps) < NEAR else "different"


def limits(
    python: str, rows: list[results.Row], cases: Sequence[str], options: Options
) -> tuple[list[results.Row], list[results.Ratio]]:
    """For each of our rates, what of the nearer limit it is."""
    weights = {size: marian.parameters_a_step(size) for size in marian.SIZES}
    blocks = [str(weights[size] * width) for size in marian.SIZES for width in BYTES.values()]
    together = sorted({CASES[case].batch * CASES[case].beams for case in cases})
    arguments = [str(options.threads), ",".join(blocks), ",".join(map(str, together))]
    ceilings = json.loads(run_command([python, "-m", "benchmarks.support.ceilings", *arguments], options))
    limit_rows, ratios = [], []
    for row in rows:
        if row.system not in KIT:
            continue
        case, precision = CASES[row.case], row.system.removeprefix("kit, ")
        size = weights[case.size] * BYTES[precision]
        limit = {
            "GB/s": (size / case.batch / 1e9, ceilings["read"][str(size)]),
            "GFLOP/s": (
                2 * weights[case.size] * case.beams / 1e9,
                ceilings["multiply"][f"{precision}, {case.batch * case.beams}"],
            ),
        }
        unit = max(limit, key=lambda unit: limit[unit][0] / limit[unit][1])
        each, ceiling = limit[unit]
        name = f"{row.case}: {'weights read' if unit == 'GB/s' else 'products'}"
        samples = [round(sample * each, 2) for sample in row.samples]
        limit_rows += [
            results.Row(case=name, system=row.system, unit=unit, samples=samples, median=median(samples)),
            results.Row(case=name, system=f"limit, {precision}", unit=unit, samples=[ceiling], median=ceiling),
        ]
        share = round(median(samples) / ceiling, 3)
        ratios.append(results.Ratio(case=name, ours=row.system, theirs=f"limit, {precision}", ratio=share))
    return limit_rows, ratios


def memory_case(size: str) -> str:
    """Its name."""
    return f"{size}, memory"


def peak_memory(python: str, size: str, folder: str, options: Options) -> list[results.Row]:
    """A row a system, each in a process of its own."""
    rows = []
    for system in [*KIT, *_in_batches(options), *HF]:
        command = [python, "-m", "benchmarks.support.peak_memory", system, size, folder, str(options.threads)]
        peak = float(run_command(command, options))
        rows.append(results.Row(case=memory_case(size), system=system, unit="MiB", samples=[peak], median=peak))
    return rows


def memory_pairs(options: Options) -> list[tuple[str, str]]:
    """What is compared: equal precisions."""
    float32, int8 = _in_batches(options)
    return [("kit, fp32", float32), ("kit, int8", int8), ("kit, fp32", HF[0]), ("kit, bf16", HF[1])]


def smaller(rows: list[results.Row], ours: str, theirs: str) -> results.Ratio:
    """How many times what we take they do."""
    medians = {row.system: row.median for row in rows}
    return results.Ratio(case=rows[0].case, ours=ours, theirs=theirs, ratio=round(medians[theirs] / medians[ours], 3))


def _in_batches(options: Options) -> list[str]:
    return [f"CTranslate2 {precision}, {settings_of_ct2(options)[0]}" for precision in ("float32", "int8")]


def run_command(command: list[str], options: Options) -> str:
    """Run a command in the repository; what it prints."""
    how = {"OMP_NUM_THREADS": str(options.threads), "BENCHMARK_CLOCK": options.clock}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | how, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def prepare(folder: Path, threads: int, name: str, case_name: str) -> Job:
    """One case of one system."""
    case = CASES[case_name]
    return Decoding(_system(folder, threads, name, case.size), case, marian.sentences(case.size, case.sources(threads)))


@cache
def _system(folder: Path, threads: int, name: str, size: str) -> System:
    return maker(name, folder / size, threads)()


if __name__ == "__main__":
    folder, threads, name = sys.argv[1:]
    toolkits = {"CTranslate2": ["ctranslate2"], "Hugging Face": ["torch", "transformers"]}
    packages = next((p for toolkit, p in toolkits.items() if name.startswith(toolkit)), ["torch", "seq2seq_kit"])
    serve(lambda system, case: prepare(Path(folder), int(threads), system, case), packages)
