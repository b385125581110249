"""How much memory a system takes to decode: the peak above that of a process that has only imported the package."""

from __future__ import annotations

import ctypes
import importlib
import re
import sys
from pathlib import Path

from benchmarks.support.decoders import Case, maker
from benchmarks.support.marian import sentences


def resident(what: str) -> int:
    """``VmRSS`` or, at its peak, ``VmHWM`` of this process, in bytes."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def main(system: str, size: str, folder: str, threads: int) -> None:
    """Print the increase in MiB for batches of 32 with beam 5, two of them a thread."""
    packages = {"kit": ["torch", "seq2seq_kit.decoding.pipeline"], "Hugging Face": ["torch", "transformers.generation"]}
    for package in packages.get(system.partition(", ")[0], ["ctranslate2", "transformers"]):
        importlib.import_module(package)
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    case = Case(size, batch=32, beams=5)
    maker(system, Path(folder) / size, threads)().decode(sentences(size, 2 * case.sources(threads)), case, 1)
    print(round((resident("VmHWM") - before) / 2**20))


if __name__ == "__main__":
    system, size, folder, threads = sys.argv[1:]
    main(system, size, folder, int(threads))
