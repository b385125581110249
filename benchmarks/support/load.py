"""How busy others keep the machine, from the kernel's own counters (Linux)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """CPU seconds that all processes used since the machine started; a hypervisor's theft counts as use."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


def process_seconds(pid: int) -> float:
    """CPU seconds of one process, over all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK  # utime, stime


class ForeignLoad:
    """The share of the machine's CPU time that was neither idle nor ours, since the meter was made.

    Args:
        own: CPU seconds that are ours (of the process that is measured).
    """

    def __init__(self, own: Callable[[], float] = lambda: 0.0) -> None:
        self._own = own
        self._start = (time.perf_counter(), busy_seconds(), own())

    def share(self) -> float:
        """0 (nobody else) to 1 (others use all cores)."""
        start, busy, own = self._start
        elapsed = time.perf_counter() - start
        foreign = (busy_seconds() - busy) - (self._own() - own)
        return min(1.0, max(0.0, foreign / (elapsed * (os.cpu_count() or 1))))


def wait_until_quiet(limit: float, patience: float) -> float:
    """Wait until others use less than ``limit`` of the machine, at most ``patience`` seconds; the seconds waited."""
    start = time.perf_counter()
    while (waited := time.perf_counter() - start) < patience:
        meter = ForeignLoad()
        time.sleep(0.5)
        if meter.share() < limit:
            break
    return waited
