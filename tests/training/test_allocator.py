"""What a step frees, the next step uses again, without asking the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from seq2seq_kit.training import allocator

PAGE_FAULTS = """
import ctypes, resource, sys
from seq2seq_kit.training.allocator import keep_memory
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.memset.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "keep":
    assert keep_memory()
def step():
    blocks = [libc.malloc(size << 20) for size in (8, 40, 100)]  # one above the largest threshold that glibc takes
    for block, size in zip(blocks, (8, 40, 100)):
        libc.memset(block, 1, size << 20)
    for block in blocks:
        libc.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(mode: str) -> int:
    command = [sys.executable, "-c", PAGE_FAULTS, mode]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells glibc's allocator what to keep")
def test_kept_memory_is_used_again_without_page_faults() -> None:
    assert _page_faults("keep") < 100
    assert _page_faults("default") > 1000  # or this test shows nothing


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(allocator.ctypes, "CDLL", None)  # would fail
    assert not allocator.keep_memory()
