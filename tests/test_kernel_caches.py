"""Products of ever new shapes do not fill the memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

GROWTH = """
import os, sys, torch
from seq2seq_kit.kernel_caches import limit_kernel_caches
if sys.argv[1] == "limited":
    limit_kernel_caches()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
torch.set_num_threads(1)
x, weight = torch.ones(600, 64, dtype=torch.bfloat16), torch.ones(64, 64, dtype=torch.bfloat16)
before = resident()
for rows in range(100, 600):
    torch.nn.functional.linear(x[:rows], weight)
print(resident() - before)
"""


def _growth(mode: str) -> float:
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_CACHE_CAPACITY")}
    command = [sys.executable, "-c", GROWTH, mode]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_few_kernels_are_kept() -> None:
    default = _growth("default")
    if default < 100:
        pytest.skip(f"500 shapes took {default:.0f} MiB: products of bfloat16 have no kernels of their own here")
    assert _growth("limited") < default / 2
