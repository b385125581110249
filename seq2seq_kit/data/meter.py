"""How far a long reading is: nothing for the first two seconds, then a live line, or plain ones in a pipe."""

from __future__ import annotations

import time
from types import TracebackType

from rich.status import Status

from seq2seq_kit.console import stderr

PATIENCE = 2.0
"""Seconds before anything is shown."""
SECONDS_BETWEEN_LINES = 10.0


class Meter:
    """A context that counts examples and shows how many there are, and how many a second.

    Args:
        what: what is done to them, e.g. ``"reading"``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0
        self._started = self._shown = time.monotonic()
        self._status: Status | None = None

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._count += count
        now = time.monotonic()
        if now - self._started < PATIENCE:
            return
        rate = self._count / (now - self._started)
        line = f"{self._what}: {self._count:,} examples ({rate:,.0f}/s)"
        if stderr().is_terminal:
            if self._status is None:
                self._status = stderr().status(line)
                self._status.start()
            self._status.update(line)
        elif now - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = now
            stderr().print(line, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()
