"""``training.compile``: encoder and decoder compiled by ``torch.compile`` for training, and for nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from seq2seq_kit.model import Model

log = logging.getLogger(__name__)


def compile_model(model: Model, try_out: Callable[[], None]) -> None:
    """Compile the calls of encoder and decoder in place, for any lengths; says so where that does not work.

    Args:
        try_out: computes a gradient of ``model``, for which all is compiled that an update needs. Where it fails, the
            model is as before.
    """
    parts = [part for part in (model.encoder, model.decoder) if part is not None]
    for part in parts:
        part.compile(dynamic=True)
    try:
        try_out()
    except Exception as error:  # a missing compiler, or code that it cannot compile, is reported in many ways
        for part in parts:
            part._compiled_call_impl = None  # what Module.compile has set
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        log.warning("training.compile: torch.compile does not work here, so training goes on without it: %s", reason)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Within it, what was compiled runs as it was written: without gradients it would all have to be compiled anew."""
    with torch.compiler.set_stance("force_eager"):
        yield
