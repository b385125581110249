"""``s2s ARGUMENTS`` within this process: for tests of many small mistakes, where a process each would take minutes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import torch
from typer.core import TyperGroup

from seq2seq_kit import cli
from seq2seq_kit.registry import registry

_commands: dict[tuple[str, ...], TyperGroup] = {}
_make = cli.application


@dataclass(frozen=True)
class Done:
    """What a command line came to."""

    code: int
    out: str
    err: str


def s2s(*arguments: object, stdin: bytes = b"") -> Done:
    """Run a command line on streams of its own."""
    threads = torch.get_num_threads()
    with _streams(stdin) as (out, err), patch.object(cli, "application", _application):
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            torch.set_num_threads(threads)
    return Done(code, out.getvalue().decode("utf-8", "replace"), err.getvalue().decode("utf-8", "replace"))


def one_sentence(done: Done, code: int = 2) -> str:
    """The sentence that a command ended with."""
    assert done.code == code, done
    assert "Traceback" not in done.err and "bug of ours" not in done.err, done.err
    said = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, done.err
    return said[0]


def _application() -> TyperGroup:
    """The commands, made once for the same tasks: half of the time of a small command is spent on them."""
    verbs = tuple(p.qualified_name for p in registry().provided("task"))
    if verbs not in _commands:
        _commands[verbs] = _make()
    return _commands[verbs]


@contextmanager
def _streams(stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    before = sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(buffer, encoding="utf-8", write_through=True) for buffer in (out, err))
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            stream.detach()  # type: ignore[attr-defined]
        sys.stdin, sys.stdout, sys.stderr = before
