"""Searches on an accelerator: a step recorded as a CUDA graph is one launch, and runs no Python."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from seq2seq_kit.interfaces import Decoder, DecoderState

log = logging.getLogger(__name__)

Enqueue = Callable[[], None]
Record = Callable[[Enqueue], Enqueue | None]
"""Takes what enqueues a step, and returns what repeats the step; None where it cannot be recorded."""

_own = threading.local()  # streams by device: two threads that record must not share one


def device_of(state: DecoderState) -> torch.device:
    """Where a search with this state runs."""
    for part in (state.rows, state.history, state.sentences):
        for tensor in part.values():
            if isinstance(tensor, torch.Tensor):
                return tensor.device
    return torch.device("cpu")


@contextmanager
def recording(device: torch.device) -> Iterator[Record | None]:
    """What records steps on ``device``, in a stream of its own, as CUDA asks for; None for other devices."""
    if device.type != "cuda":
        yield None
        return
    streams: dict[torch.device, torch.cuda.Stream] = _own.__dict__.setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)
    outer, stream = torch.cuda.current_stream(device), streams[device]
    stream.wait_stream(outer)
    try:
        with torch.cuda.stream(stream):
            yield _record
    finally:
        outer.wait_stream(stream)


def _record(enqueue: Enqueue) -> Enqueue | None:
    graph = torch.cuda.CUDAGraph()
    try:
        graph.capture_begin(capture_error_mode="thread_local")  # what other threads do is their own business
        try:
            enqueue()
        finally:
            graph.capture_end()
    except Exception as error:  # whatever a step does that a graph cannot hold, such as to read a tensor's values
        _warn(str(error).partition("\n")[0])
        return None
    return graph.replay  # type: ignore[no-any-return]


@cache  # once
def _warn(reason: str) -> None:
    log.warning("the decoder's step cannot be recorded as a CUDA graph, and is launched anew each time: %s", reason)


@cache  # once
def tell_why_on_host(reason: str) -> None:
    """Say why a search on an accelerator waits for the host at every step."""
    log.info("this search chooses on the host at every step, because of %s", reason)


def takes_padding(step: Any) -> bool:
    """Whether ``step`` is that of a decoder that takes padded history. What a class says of its step does not hold for
    one that overrides it."""
    decoder = getattr(step, "__self__", None)
    if not isinstance(decoder, Decoder) or "step" in vars(decoder) or step != decoder.step:
        return False
    for cls in type(decoder).__mro__:
        if "takes_padding" in vars(cls):
            return decoder.takes_padding
        if "step" in vars(cls):
            return False
    return False
