"""The measured side: a process that holds one or several systems and answers requests for samples.

Needs nothing but the standard library, so that it also runs in a rival's environment. Requests and answers are JSON
lines: ``{"system": …, "case": …, "seconds": …}`` gives a sample, ``{"system": …, "case": …, "output": true}`` what the
system put out.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Protocol

WARM_UP_SECONDS = 0.5
clock = time.process_time if os.environ.get("BENCHMARK_CLOCK") == "cpu" else time.perf_counter
"""What seconds are measured by: the wall's clock, or this process' CPU time."""


class Job(Protocol):
    """One case of one system, ready to run."""

    parts: dict[str, float]
    """Seconds spent in named parts of the work so far, e.g. ``{"step": 1.2}``; empty where nothing is timed apart."""

    def run(self) -> int:
        """Do the work once and return how many units of it (tokens, characters) were done."""

    def output(self) -> list[Any]:
        """What the work puts out, comparable between systems."""


def serve(prepare: Callable[[str, str], Job], distributions: list[str]) -> None:
    """Answer requests until stdin ends; ``prepare(system, case)`` is called once for each two.

    Args:
        distributions: those whose versions belong to the result.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else a system prints must not mix with the answers
    jobs: dict[tuple[str, str], Job] = {}

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    answer({"versions": {"python": platform.python_version(), **{d: version(d) for d in distributions}}})
    for line in sys.stdin:
        request = json.loads(line)
        key = request["system"], request["case"]
        if key not in jobs:
            jobs[key] = prepare(*key)
            sample(jobs[key], WARM_UP_SECONDS)
        job = jobs[key]
        answer({"output": job.output()} if request.get("output") else sample(job, request["seconds"]))


def sample(job: Job, seconds: float) -> dict[str, Any]:
    """Run a job again and again for at least ``seconds``: units a second, and each part's share of the time."""
    before = dict(job.parts)
    units, start = 0, clock()
    while True:
        units += job.run()
        elapsed = clock() - start
        if elapsed >= seconds:
            break
    shares = {name: (total - before.get(name, 0.0)) / elapsed for name, total in job.parts.items()}
    return {"value": units / elapsed, "shares": shares}
