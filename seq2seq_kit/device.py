"""Where tensors live: a device by its name, checked."""

from __future__ import annotations

import torch

from seq2seq_kit.errors import UserError


def check_device(device: str) -> torch.device:
    """The torch device of that name; raises a :class:`UserError` where this machine has none."""
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {device!r} cannot be used here: {reason}") from None
    return chosen
