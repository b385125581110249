"""Who may write into a run folder: nothing that is there is ever lost to a second training."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2seq_kit.errors import UserError

DATA = "data"
"""The folder of encoded training data within a run folder: all that is left of a run that was killed at its start."""


def check_empty(out: Path) -> None:
    """Refuse a folder for a new run that already holds something."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; --out names a folder")
    if out.exists() and any(path.name != DATA for path in out.iterdir()):
        raise UserError(f"{out}: is not empty; continue the run in it with --resume {out}, or choose another --out")


@contextmanager
def removed_on_failure(out: Path) -> Iterator[None]:
    """Remove the encoded data, and the folder where it is new, of a run that fails before it has begun."""
    existed = out.exists()
    try:
        yield
    except BaseException:
        shutil.rmtree(out / DATA, ignore_errors=True)
        if not existed:
            with suppress(OSError):
                out.rmdir()
        raise


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
