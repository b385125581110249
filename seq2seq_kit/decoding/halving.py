"""What does not fit into memory at once is done in halves."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.training.out_of_memory import is_out_of_memory

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


class Halving:
    """Does pieces of work, in halves of halves where there is no memory for one.

    A size that once failed is reported, with a warning, and not tried again: what is as large is halved at once.
    Several threads may share one.
    """

    def __init__(self) -> None:
        self._too_large: float = math.inf  # the least size that has failed
        self._lock = threading.Lock()

    def __call__(
        self, work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item], length: Callable[[Item], int]
    ) -> list[Result]:
        """``work(items)``, a result for each item, or what it gives for parts of them.

        Args:
            length: an item's. What is done together is as large as its longest item times their number.

        Raises:
            UserError: there is no memory for a single item.
        """
        longest = max((length(item) for item in items), default=0)
        size = len(items) * max(longest, 1)
        if size < self._too_large or len(items) < 2:
            try:
                return work(items)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(items) < 2:
                    raise UserError(
                        f"there is not enough memory for one sentence of {longest} source tokens: shorten it, or "
                        "decode with a smaller beam_size, a smaller max_length or fewer threads"
                    ) from error
            self._report(size, len(items), longest)
        middle = len(items) // 2
        return self(work, items[:middle], length) + self(work, items[middle:], length)

    def _report(self, size: int, count: int, longest: int) -> None:
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        with self._lock:
            if size >= self._too_large:  # another thread has met it
                return
            self._too_large = size
        log.warning(
            "there is no memory for %d sentences of up to %d source tokens at once: they are decoded in halves, and so "
            "is what is as large",
            count,
            longest,
        )
