"""Examples in, outputs out, in order: encodes in batches of like length and lets the engine search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search, with_seed
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Output, Task
from seq2seq_kit.model import Model

BATCHES_A_WINDOW = 16
"""Batches read ahead, so that sentences of like length can be decoded together."""


def generate(
    model: Model,
    task: Task,
    examples: Iterable[Example],
    options: SearchOptions,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
    window: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Output]:
    """Decode a stream of examples and yield one output each, in input order.

    Samples are those of an example's place in the stream: they do not depend on ``batch_size`` or ``window``.

    Args:
        options: how to search; the special ids are the task's own.
        batch_size: sentences a batch.
        window: examples read before the first is answered (default ``16 * batch_size``; 1 answers line by line).
        progress: called with the number of examples just done.
    """
    options = with_seed(with_special_ids(options, task))
    first = 0
    was_training = model.training
    model.eval()
    try:
        for chunk in _windows(examples, window or BATCHES_A_WINDOW * batch_size):
            yield from _decode_window(model, task, chunk, first, options, device, batch_size, progress)
            first += len(chunk)
    finally:
        model.train(was_training)


def _windows(examples: Iterable[Example], size: int) -> Iterator[list[Example]]:
    """Lists of ``size`` examples. What was read before the stream failed comes first, then its error."""
    window: list[Example] = []
    try:
        for example in examples:
            window.append(example)
            if len(window) == size:
                yield window
                window = []
    except UserError:
        if window:
            yield window
        raise
    if window:
        yield window


def with_special_ids(options: SearchOptions, task: Task) -> SearchOptions:
    """The options with the task's BOS and EOS."""
    return replace(options, bos_id=task.target_spec.bos_id, eos_ids=(task.target_spec.eos_id,))


def _decode_window(
    model: Model,
    task: Task,
    examples: Sequence[Example],
    first: int,
    options: SearchOptions,
    device: torch.device | str,
    batch_size: int,
    progress: Callable[[int], None] | None,
) -> list[Output]:
    """The outputs of consecutive examples of the stream; ``first`` is the place of the first."""
    encoded = task.encode(examples)
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].source))
    outputs: dict[int, Output] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        keys = [first + i for i in chosen]
        found = decode_batch(model, task, [encoded[i] for i in chosen], options, device, keys)
        for i, hypotheses in zip(chosen, found, strict=True):
            outputs[i] = task.decode(examples[i], hypotheses)
        if progress:
            progress(len(chosen))
    return [outputs[i] for i in range(len(examples))]


@torch.inference_mode()
def decode_batch(
    model: Model,
    task: Task,
    encoded: Sequence[EncodedExample],
    options: SearchOptions,
    device: torch.device | str,
    keys: Sequence[int],
) -> list[list[Hypothesis]]:
    """Encode one batch and search it: the n-best of each sentence. ``keys``: who they are to the random generator."""
    batch = task.collate(encoded).to(device)
    memory = model.encoder(batch)
    state = model.decoder.init_state(memory, len(batch))
    lengths = batch.source_mask.sum(1).tolist()
    sentences = [SentenceInput(source_length=length, key=key) for length, key in zip(lengths, keys, strict=True)]
    found = search(model.decoder.step, state, options, sentences=sentences)
    return [
        [_without_padding(hypothesis, length) for hypothesis in hypotheses]
        for hypotheses, length in zip(found, memory.mask.sum(1).tolist(), strict=True)
    ]


def _without_padding(hypothesis: Hypothesis, length: int) -> Hypothesis:
    """The hypothesis with its attention over the sentence's own ``length`` memory positions."""
    if hypothesis.attention is None:
        return hypothesis
    return replace(hypothesis, attention=hypothesis.attention[:, :length])
