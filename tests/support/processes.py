"""Several processes that train together, as torchrun would start them, forked from a server that has torch loaded."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Literal

from support.forks import forks

Event = Literal["kill", "kill in save", "kill in validation", "interrupt", "poison"]
"""What happens to a process: SIGKILL before its n-th update, n-th renaming of a new file into its place, or n-th
decoding of development data; before its n-th update, Ctrl-C, or weights that are not numbers."""


def train_together(
    count: int,
    values: dict[str, Any],
    run: Path,
    *,
    resume: bool = False,
    events: dict[int, tuple[Event, int]] | None = None,
) -> list[tuple[int, str]]:
    """Train with ``count`` processes; the exit code of each and what it wrote to stderr.

    Args:
        events: for a process, what happens to it and at which of the occasions (from 1).
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = [run.with_name(f"{run.name}-{rank}.stderr") for rank in range(count)]
    started = []
    for rank in range(count):
        environment = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": count,
            "LOCAL_WORLD_SIZE": count,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        event = (events or {}).get(rank)
        job = (environment, values, str(run), resume, event, str(said[rank]))
        started.append(forks.Process(target=_one, args=job))
    for process in started:
        process.start()
    for process in started:
        process.join(120)
        process.kill()  # only where it hangs
        process.join()
    return [(process.exitcode or 0, path.read_text()) for process, path in zip(started, said, strict=True)]


def _one(
    environment: dict[str, Any],
    values: dict[str, Any],
    run: str,
    resume: bool,
    event: tuple[Event, int] | None,
    said: str,
) -> None:
    os.environ.update({name: str(value) for name, value in environment.items()})
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import torch

    from seq2seq_kit.errors import UserError
    from seq2seq_kit.run_config import make_config
    from seq2seq_kit.training import runs

    torch.set_num_threads(1)
    if event:
        _plan(*event)
    try:
        if resume:
            runs.resume(Path(run))
        else:
            runs.train(make_config(values, [], "test"), Path(run))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _plan(event: Event, count: int) -> None:
    import torch

    from seq2seq_kit import sealed
    from seq2seq_kit.training import validation
    from seq2seq_kit.training.update import Updater

    calls = 0

    def happen(learner: Any = None) -> None:
        nonlocal calls
        calls += 1
        if calls != count:
            return
        if event == "poison":
            with torch.no_grad():
                next(learner.parameters()).fill_(float("nan"))
        else:
            os.kill(os.getpid(), signal.SIGINT if event == "interrupt" else signal.SIGKILL)

    def before(place: Any, name: str) -> None:
        original = getattr(place, name)

        def planned(*arguments: Any, **more: Any) -> Any:
            happen(getattr(arguments[0], "_learner", None))
            return original(*arguments, **more)

        setattr(place, name, planned)

    if event == "kill in save":
        before(sealed.os, "replace")
    elif event == "kill in validation":
        before(validation, "evaluate")
    else:
        before(Updater, "__call__")
