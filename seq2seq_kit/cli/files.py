"""The files that a command reads and writes, or its streams."""

from __future__ import annotations

import io
import os
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any

from seq2seq_kit.errors import DataError, UserError


def open_input(file: Path | None) -> IO[bytes]:
    """A file's bytes, or stdin's."""
    if file is None:
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None


def open_output(file: Path | None, *others: Path | None) -> Any:
    """A context that gives the text stream to write to: the file's, or stdout.

    Args:
        others: what the command reads or writes beside it (None: stdin or stdout).

    Raises:
        UserError: it cannot be written, at once or later (a full disk), or is one of ``others``, which would be lost.
    """
    if file is None:
        return nullcontext(sys.stdout)
    _refuse_same(file, others)
    try:
        raw = _File(file, "w")
    except OSError as error:
        raise _refused(file, error) from None
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")


def check_output(file: Path, *others: Path | None) -> None:
    """Refuse what :func:`open_output` refuses, before work is done for it; an earlier file stays as it is."""
    _refuse_same(file, others)
    if file.exists() and not (file.is_file() or file.is_dir()):  # a pipe waits for its reader, when it is opened
        return
    new = not file.exists()
    try:
        file.open("ab").close()
    except OSError as error:
        raise _refused(file, error) from None
    if new:
        file.unlink()


def _refuse_same(file: Path, others: tuple[Path | None, ...]) -> None:
    for other in others:
        if file.is_file() and _same(file, other):
            raise UserError(f"{file}: is read or written as {other or 'stdin'} too, and would be lost: choose another")


def _same(file: Path, other: Path | None) -> bool:
    with suppress(OSError):  # a stream without a descriptor, a file that is not there
        return os.path.samestat(file.stat(), os.fstat(sys.stdin.fileno()) if other is None else other.stat())
    return False


class _File(io.FileIO):
    """Says its name where what is written is refused."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _refused(self.name, error) from None


def _refused(file: object, error: OSError) -> UserError:
    return UserError(f"{file}: cannot be written: {error.strerror}")
