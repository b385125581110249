"""``training.compile``: encoder and decoder compiled by ``torch.compile`` for training; the search is left as it is."""

from __future__ import annotations

import logging

import torch

from seq2seq_kit.model import Model

log = logging.getLogger(__name__)


def compile_model(model: Model, device: torch.device) -> None:
    """Compile the calls of encoder and decoder in place, for any lengths; says so where this machine cannot."""
    reason = _why_not(device)
    if reason:
        log.warning("training.compile: torch.compile does not work here, so training goes on without it: %s", reason)
        return
    for part in (model.encoder, model.decoder):
        if part is not None:
            part.compile(dynamic=True)


def _why_not(device: torch.device) -> str:
    """What hinders the compilation of the simplest function; nothing where nothing does."""
    try:
        torch.compile(lambda x: x * 2 + 1)(torch.ones(2, device=device))
    except Exception as error:  # a missing compiler is reported in many ways
        return " ".join(str(error).split())[:200] or type(error).__name__
    return ""
