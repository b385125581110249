"""Measures systems side by side: rounds interleaved, samples that other load disturbed done again.

Each system has a process of its own, but systems of the same command share one: two loops around the same model, whose
weights then lie in the same place. (A step that waits for memory was 10% slower or quicker from process to process.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks.support.load import ForeignLoad, process_seconds, wait_until_quiet
from benchmarks.support.results import Row

ROOT = Path(__file__).resolve().parents[2]
QUIET = 0.05
"""A sample counts as disturbed when others used more than this share of the machine while it was taken."""


@dataclass(frozen=True)
class Options:
    """How to measure."""

    rounds: int = 7
    """Samples of each system in each case; their median counts."""
    seconds: float = 1.5
    """The least length of a sample."""
    patience: float = 900.0
    """Seconds to spend, in all, on waiting for a quiet machine; then disturbed samples are kept, and counted."""
    threads: int = os.cpu_count() or 1
    """Threads of each system."""
    clock: Literal["wall", "cpu"] = "wall"
    """``cpu``: measure CPU seconds of the process, for a machine that others use; with one thread they are seconds of
    a quiet machine, but for caches and memory, whose sharing interleaved rounds spread over all systems."""
    overrides: tuple[str, ...] = ()
    """Where a model is trained: ``key=value`` changes of its configuration, as ``s2s train --set`` takes them."""
    run: Path | None = None
    """Where a model is trained: an earlier run folder to score in its stead."""
    only: tuple[str, ...] = ()
    """Where there are many cases: only those with one of these in their names."""

    def __post_init__(self) -> None:
        if self.clock == "cpu" and self.threads != 1:
            raise ValueError("CPU seconds compare systems of one thread only: use --threads 1")

    def wants(self, case: str) -> bool:
        """Whether a case is to be measured."""
        return not self.only or any(part in case for part in self.only)


class Worker:
    """A process that holds one or several systems; see :mod:`benchmarks.support.worker`."""

    def __init__(self, name: str, command: Sequence[str], options: Options) -> None:
        self.name = name
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
        environment = os.environ | {variable: str(options.threads) for variable in names}
        environment["BENCHMARK_CLOCK"] = options.clock
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        self.versions: dict[str, str] = self._answer()["versions"]

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes stdin, which ends the worker

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the process of {self.name!r} ended with exit code {self.process.wait()}; see its output"
            )
        return json.loads(line)


@dataclass
class Measured:
    """What :func:`measure` found."""

    rows: list[Row]
    outputs: dict[tuple[str, str], list[Any]]
    """What each system put out, by (case, system)."""
    versions: dict[str, str]
    disturbed: int
    """How many of the samples kept were taken while others used the machine."""
    settings: dict[str, object]
    """How it was measured, for the result."""


def measure(systems: Mapping[str, Sequence[str]], cases: Sequence[str], unit: str, options: Options) -> Measured:
    """Take ``options.rounds`` samples of every system (name: command) in every case, one after another.

    Args:
        unit: what a system's work is counted in; its rate is given a second, or a CPU second.
    """
    unit += "/s" if options.clock == "wall" else "/CPU s"
    samples: dict[tuple[str, str], list[dict[str, Any]]] = {(c, s): [] for c in cases for s in systems}
    patience = options.patience if options.clock == "wall" else 0.0
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name, command in systems.items():
            shared = next((w for other, w in workers.items() if systems[other] == command), None)
            workers[name] = shared or stack.enter_context(Worker(name, command, options))
        outputs = {(c, s): workers[s].ask(system=s, case=c, output=True)["output"] for c in cases for s in systems}
        for round_number in range(options.rounds):
            print(f"round {round_number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for case in cases:
                turn = round_number % len(systems)
                for system in [*systems][turn:] + [*systems][:turn]:
                    taken, waited = _undisturbed(workers[system], system, case, options.seconds, patience)
                    patience -= waited
                    samples[case, system].append(taken)
        versions = {name: v for worker in reversed(workers.values()) for name, v in worker.versions.items()}
    rows = [_row(case, system, unit, taken) for (case, system), taken in samples.items()]
    disturbed = sum(s["foreign"] > QUIET for taken in samples.values() for s in taken)
    foreign = median(s["foreign"] for taken in samples.values() for s in taken)
    count = sum(map(len, samples.values()))
    settings = {
        "threads": options.threads,
        "rounds": options.rounds,
        "other load": f"{foreign:.0%} of the machine (median); above {QUIET:.0%} in {disturbed} of {count} samples",
    }
    return Measured(rows, outputs, versions, disturbed, settings)


def _undisturbed(
    worker: Worker, system: str, case: str, seconds: float, patience: float
) -> tuple[dict[str, Any], float]:
    """One sample, taken again while others use the machine and there is patience left; and the patience it took."""
    spent = 0.0
    while True:
        meter = ForeignLoad(lambda: process_seconds(worker.process.pid))
        taken = worker.ask(system=system, case=case, seconds=seconds) | {"foreign": meter.share()}
        if taken["foreign"] <= QUIET or spent >= patience:
            return taken, spent
        spent += seconds + wait_until_quiet(QUIET, patience - spent)


def _row(case: str, system: str, unit: str, taken: list[dict[str, Any]]) -> Row:
    values = [round(s["value"], 1) for s in taken]
    shares = {name: round(median(s["shares"][name] for s in taken), 4) for name in taken[0]["shares"]}
    return Row(case=case, system=system, unit=unit, samples=values, median=median(values), shares=shares)
