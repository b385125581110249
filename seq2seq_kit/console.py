"""The console for progress and notices: stderr, so that stdout stays a clean stream of results."""

from __future__ import annotations

from functools import cache

from rich.console import Console


@cache
def stderr() -> Console:
    """The process-wide rich console on stderr."""
    return Console(stderr=True)
