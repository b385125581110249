"""The console for progress and notices: stderr, so that stdout stays a clean stream of results."""

from __future__ import annotations

import os
from functools import cache

from rich.console import Console


def is_first_process() -> bool:
    """Is this the one of a training's processes that talks? torchrun and ``accelerate launch`` number them."""
    return os.environ.get("RANK", "0") == "0"


@cache
def stderr() -> Console:
    """The process-wide rich console on stderr; it says nothing where another process says the same."""
    return Console(stderr=True, quiet=not is_first_process())
