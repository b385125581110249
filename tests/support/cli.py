"""The command line in a process of its own, without paying for the import of torch each time.

Each call is a fork of one server process that has imported torch and the kit and done nothing else, so it behaves as a
fresh process does: its own streams, working folder, environment and exit code. ``cold=True`` starts a real one instead.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from support.forks import forks


def s2s(
    *args: object,
    input: str | bytes | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    cold: bool = False,
    text: bool = True,
    timeout: float = 240,
    encoding: str | None = "utf-8",
) -> subprocess.CompletedProcess:
    """Run ``s2s ARGS``. ``env`` is added to the environment; with ``text=False`` bytes come out."""
    arguments = [str(a) for a in args]
    given = input.encode() if isinstance(input, str) else input or b""
    if cold:
        command = [sys.executable, "-m", "seq2seq_kit", *arguments]
        cold_env = {**os.environ, **(env or {})}
        done = subprocess.run(command, input=given, capture_output=True, cwd=cwd, env=cold_env, timeout=timeout)
        return _decoded(done, encoding if text else None)
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(given)
        process = forks.Process(
            target=_run, args=(arguments, streams, cwd or Path.cwd(), {**os.environ, **(env or {})})
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, timeout)
        done = subprocess.CompletedProcess(
            arguments, process.exitcode, streams[1].read_bytes(), streams[2].read_bytes()
        )
    return _decoded(done, encoding if text else None)


def _decoded(done: subprocess.CompletedProcess, encoding: str | None) -> subprocess.CompletedProcess:
    if encoding:
        done.stdout, done.stderr = done.stdout.decode(encoding), done.stderr.decode(encoding)
    return done


def _run(arguments: list[str], streams: list[Path], cwd: Path, env: dict[str, str]) -> None:
    """In the forked process: become ``s2s ARGUMENTS``."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, (path, flags) in enumerate(zip(streams, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
    sys.argv = ["s2s", *arguments]
    from seq2seq_kit.cli import main

    main()
