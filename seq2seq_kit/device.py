"""Where tensors live: a device by its name, checked."""

from __future__ import annotations

import torch

from seq2seq_kit.errors import UserError

MOST_THREADS = 1024
"""More would be started, and take the memory of the machine."""


def check_device(device: str) -> torch.device:
    """The torch device of that name; raises a :class:`UserError` where this machine has none."""
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
        if chosen.type == "meta":
            raise RuntimeError("its tensors hold no data")
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {device!r} cannot be used here: {reason}") from None
    return chosen


def check_threads(threads: int) -> int:
    """The number of threads; raises a :class:`UserError` for one that no machine has."""
    if not 1 <= threads <= MOST_THREADS:
        raise UserError(f"threads must be between 1 and {MOST_THREADS:,}, got {threads:,}")
    return threads
