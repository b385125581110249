"""How many kernels the libraries under torch keep. Torch-free."""

from __future__ import annotations

import os

KERNELS = "128"
"""More than one batch needs; each takes about 1 MiB."""


def limit_kernel_caches() -> None:
    """Let oneDNN, and torch's layer above it, keep 128 compiled kernels instead of 1,024 each.

    oneDNN compiles a kernel for each shape of a product. Batches of sentences have new shapes all the time, so that
    old kernels are hardly ever met again, but fill the caches: 1 GiB in each. The libraries ask once, at their first
    kernel: call this before. A variable that the user has set stays as it is.
    """
    for variable in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(variable, KERNELS)
