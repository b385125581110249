"""Memory that a training step freed, kept for the next step.

By default glibc maps every large block anew and gives it back when it is freed, so that each step meets the same pages
as new ones: the kernel clears them again at every first touch, in a training step on a CPU 15,000 to 150,000 times.
"""

from __future__ import annotations

import ctypes
import sys

from seq2seq_kit.kernel_caches import limit_kernel_caches

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h
_GROWTH = 64 * 2**20


def keep_memory() -> bool:
    """Tell glibc's allocator to keep what is freed, until the process ends; whether it could be told.

    No block is mapped on its own any more (a larger ``M_MMAP_THRESHOLD`` would not do: glibc takes 32 MiB at most), the
    heap is never trimmed, and it grows by 64 MiB, of which what is not touched takes no memory. The peak of a small
    Transformer's training grew by a tenth. Elsewhere than on glibc nothing is done. Kernels compiled for single shapes
    are kept only in small number, see :func:`limit_kernel_caches`.
    """
    limit_kernel_caches()
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: _GROWTH}
    return all([libc.mallopt(name, value) for name, value in settings.items()])
