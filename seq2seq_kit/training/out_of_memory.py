"""What to do where a batch does not fit into memory: name it, or compute it in halves."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from seq2seq_kit.interfaces import Batch


class OutOfMemory(Exception):
    """A batch did not fit into memory; the message names it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Was there no memory, on whatever device?"""
    of_cpu = "DefaultCPUAllocator" in str(error) or "not enough memory" in str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (isinstance(error, RuntimeError) and of_cpu)


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """The first and the second half of a batch of two examples or more, with the padding of the whole."""
    middle = len(batch) // 2
    return _rows(batch, slice(0, middle)), _rows(batch, slice(middle, None))


def _rows(batch: Batch, rows: slice) -> Batch:
    def cut(x: Tensor | None) -> Tensor | None:
        return None if x is None else x[rows]

    return replace(
        batch,
        source=batch.source[rows],
        source_mask=batch.source_mask[rows],
        target=cut(batch.target),
        target_mask=cut(batch.target_mask),
        ids=batch.ids[rows],
        extras={name: x[rows] for name, x in batch.extras.items()},
    )
