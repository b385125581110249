"""Text as it is written: a search in a thread of its own, its settled tokens read as they come."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.search import Cancellation
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example, Task

Run = Callable[[Callable[[int, list[int]], None], Cancellation], list[list[Hypothesis]]]
"""``run(on_tokens, cancellation)``: a search of one sentence that is given the two."""


@dataclass(frozen=True)
class _Ended:
    """The search is over: its n-best, or what it raised."""

    hypotheses: list[Hypothesis]
    error: BaseException | None = None


_Event = list[int] | _Ended
"""Settled tokens, or the end."""

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def stream(task: Task, example: Example, run: Run) -> Iterator[str]:
    """Pieces of the text of the best output, as soon as no later token can change them; together they are that text.

    The search ends when the iterator is closed. What it raises comes out here.
    """
    events: SimpleQueue[_Event] = SimpleQueue()
    cancellation = Cancellation()

    def work() -> None:
        try:
            [hypotheses] = run(lambda sentence, tokens: events.put(tokens), cancellation)
            events.put(_Ended(hypotheses))
        except BaseException as error:  # raised again where the pieces are read
            events.put(_Ended([], error))

    worker = threading.Thread(target=work, name="search", daemon=True)
    worker.start()
    try:
        yield from _pieces(task, example, events)
    finally:
        cancellation.cancel()
        worker.join()


def _pieces(task: Task, example: Example, events: SimpleQueue[_Event]) -> Iterator[str]:
    tokens: list[int] = []
    written = ""
    while True:
        event = events.get()
        if isinstance(event, _Ended):
            if event.error is not None:
                raise event.error
            text = task.decode(example, event.hypotheses).text
        else:
            tokens += event
            text = _settled(task, example, tokens)
        if not text.startswith(written):
            raise UserError(f"{type(task).__name__} rewrites what it has written, and cannot be streamed")
        if len(text) > len(written):
            yield text[len(written) :]
        written = text
        if isinstance(event, _Ended):
            return


def _settled(task: Task, example: Example, tokens: list[int]) -> str:
    """The text of ``tokens`` without bytes at their end, which may turn out to be part of a character."""
    pieces = task.decode(example, [Hypothesis(tokens, 0.0, 0.0, [])]).tokens
    length = len(pieces)
    while length and _BYTE.fullmatch(pieces[length - 1]):
        length -= 1
    return task.decode(example, [Hypothesis(tokens[:length], 0.0, 0.0, [])]).text
