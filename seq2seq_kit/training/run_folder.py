"""Who may write into a run folder: nothing that is there is ever lost to a second training."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_kit.errors import UserError


def check_empty(out: Path) -> None:
    """Refuse a folder for a new run that already holds something."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; --out names a folder")
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: is not empty; continue the run in it with --resume {out}, or choose another --out")


@contextmanager
def sole_writer(run: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system frees with the process; refuse where another process holds it."""
    folder = os.open(run, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{run}: another process is training in this folder") from None
        except OSError:  # a file system without locks (some network ones)
            pass
        yield
    finally:
        os.close(folder)
