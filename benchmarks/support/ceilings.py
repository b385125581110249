"""What this machine can do at most: how fast weights can be read, and how fast our kernels multiply what is in caches.

``python -m benchmarks.support.ceilings THREADS BYTES,… ROWS,…`` prints, as JSON, GB/s for blocks of so many bytes that
all threads read, and GFLOP/s for each precision and number of rows a thread.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

PRECISIONS = ("fp32", "bf16", "int8")
INPUTS, OUTPUTS = 512, 2048
"""Of the matrix that is multiplied: that of a feed-forward layer."""
SECONDS = 0.4


clock = time.thread_time if os.environ.get("BENCHMARK_CLOCK") == "cpu" else time.perf_counter


def rate(work: Callable[[], Any], units: float, threads: int) -> float:
    """Units a second of ``threads`` threads that do the work of ``units`` again and again; the better of two tries."""

    def repeat(_: int) -> float:
        done, start = 0.0, clock()
        while True:
            work()
            done += units
            elapsed = clock() - start
            if elapsed >= SECONDS:
                return done / elapsed

    with ThreadPoolExecutor(threads) as pool:
        return max(sum(pool.map(repeat, range(threads))) for _ in range(2))


def measure(threads: int, sizes: Sequence[int], rows: Sequence[int]) -> dict[str, dict[str, float]]:
    """GB/s by the bytes of a block; GFLOP/s by ``precision, rows``. Torch must be set to one thread."""
    import torch

    from seq2seq_kit._engine._native import PackedMatrix

    torch.manual_seed(1)
    read = {}
    for size in sizes:
        block = torch.ones(size // 8, dtype=torch.int64)
        read[str(size)] = rate(block.sum, block.nbytes, threads) / 1e9
    weight, multiply = torch.randn(OUTPUTS, INPUTS), {}
    for precision in PRECISIONS:
        matrix = PackedMatrix(weight, None, precision)
        for count in rows:
            x = torch.randn(count, INPUTS)
            operations = 2 * count * INPUTS * OUTPUTS
            multiply[f"{precision}, {count}"] = rate(partial(matrix.multiply, x), operations, threads) / 1e9
    return {"read": read, "multiply": multiply}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)  # of each thread
    threads, sizes, rows = ([*map(int, argument.split(","))] for argument in sys.argv[1:])
    print(json.dumps(measure(threads[0], sizes, rows)))
