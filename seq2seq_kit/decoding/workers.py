"""Work shared out to threads, one item to each at a time; results in the order of the items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Generic, TypeVar

import torch

from seq2seq_kit.decoding.search import Cancellation

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Items taken ahead for each thread: while one takes long, the threads that have the next ones go on to others."""


def in_order(
    work: Callable[[Item, Cancellation], Result], items: Iterable[Item], threads: int
) -> Generator[tuple[Item, Result], None, None]:
    """Each item with ``work(item, cancellation)``, in order; at most ``AHEAD * threads`` items are held at a time.

    With at least two items and two threads the work is done in threads of its own, each of which gives torch one thread
    for its operations; where there are fewer items than threads, they share all of them. A single item, or every one
    where ``threads`` is 1, is worked on where the iterator is read, with torch's threads as they are there.

    ``items`` is read where the iterator is read. What it raises, or the work on one, comes out behind the results of
    the items before it; nothing after it is begun. Whatever ends the iterator, closing it among that, cancels the work
    that is under way and waits for its threads: close it where it may not be read to its end.
    """
    source = _Source(items)
    first = source.take(threads)
    if len(first) < 2:
        yield from _one_by_one(work, first, source)
    else:
        yield from _side_by_side(work, first, source, threads)
    source.end()


def _one_by_one(
    work: Callable[[Item, Cancellation], Result], first: list[Item], source: _Source[Item]
) -> Iterator[tuple[Item, Result]]:
    cancellation = Cancellation()
    taken = first
    while taken:
        yield taken[0], work(taken[0], cancellation)
        taken = source.take(1)


def _side_by_side(
    work: Callable[[Item, Cancellation], Result], first: list[Item], source: _Source[Item], threads: int
) -> Iterator[tuple[Item, Result]]:
    cancellation = Cancellation()
    with _threads(len(first), threads) as pool:
        try:
            waiting = deque((item, pool.submit(work, item, cancellation)) for item in first)
            while waiting:
                while len(waiting) < AHEAD * threads and (taken := source.take(1)):
                    waiting.append((taken[0], pool.submit(work, taken[0], cancellation)))
                item, future = waiting.popleft()
                yield item, future.result()
        finally:
            cancellation.cancel()


@contextmanager
def _threads(count: int, torch_threads: int) -> Iterator[ThreadPoolExecutor]:
    """``count`` threads that share ``torch_threads`` of torch's. In the end, what has not begun is given up."""
    shares: SimpleQueue[int] = SimpleQueue()
    for i in range(count):
        shares.put(torch_threads // count + (i < torch_threads % count))
    started = threading.Barrier(count + 1)
    own = torch.get_num_threads()

    def start() -> None:
        torch.get_num_threads()  # torch meets this thread, and gives it the number of threads that new ones get
        torch.set_num_threads(shares.get())  # of this thread, and what new ones get
        started.wait()

    pool = ThreadPoolExecutor(count, "decoding", start)
    try:
        try:
            for _ in range(count):
                pool.submit(int)  # starts a thread: none is idle before all have started
            started.wait()
        except BaseException:
            started.abort()
            raise
        finally:
            torch.set_num_threads(own)  # what new ones get
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class _Source(Generic[Item]):
    """Items on demand. An error among them is kept until :meth:`end`, since it comes behind what was taken before."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._error: Exception | None = None

    def take(self, count: int) -> list[Item]:
        """The next ``count`` items, or as many as there are."""
        taken: list[Item] = []
        while len(taken) < count and self._error is None:
            try:
                taken.append(next(self._items))
            except StopIteration:
                break
            except Exception as error:
                self._error = error
        return taken

    def end(self) -> None:
        """Raise what the items have raised."""
        if self._error is not None:
            raise self._error
