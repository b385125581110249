"""The random generators of a process as tensors, to be saved and put back."""

from __future__ import annotations

import random

import torch

from seq2seq_kit.interfaces import TensorDict


def random_state(device: torch.device) -> TensorDict:
    """The states of the generators of Python, of torch and of a CUDA ``device``; of the same sizes at any time."""
    version, words, gauss_next = random.getstate()
    state = {
        "python": torch.tensor([version, *words], dtype=torch.int64),
        "gauss": torch.tensor([gauss_next is not None, gauss_next or 0.0], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: TensorDict, device: torch.device) -> None:
    """Put the generators back to where :func:`random_state` found them."""
    version, *words = state["python"].tolist()
    has_next, gauss_next = state["gauss"].tolist()
    random.setstate((version, tuple(words), gauss_next if has_next else None))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
