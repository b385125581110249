"""Padding reaches nothing: neither what stands in it, nor how much there is, nor a source that is nothing else."""

from __future__ import annotations

from dataclasses import replace

import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Memory
from seq2seq_kit.testing.padding import ADDED, fill, widen
from seq2seq_kit.testing.probe import Probe
from seq2seq_kit.testing.report import Fault, NotChecked


def check_padding(probe: Probe) -> None:
    """What stands in the padding and how wide it is change nothing; no attention falls on it."""
    if probe.memory is None:
        raise NotChecked("a decoder without a memory sees no padding")
    prefix, names = probe.paths[:, 0], ("sentence", "position")
    steps, taught = probe.run(probe.start(), probe.paths), probe.teach(prefix, probe.memory)[0]
    for what, memory in padded_otherwise(probe.memory).items():
        other = replace(probe, memory=memory)
        outputs = other.run(other.start(), other.paths)
        where = probe.first_difference(outputs, steps)
        if where is None:
            apart = probe.difference(other.teach(prefix, memory)[0], taught, names)
            where = apart and f"scores of forward, {apart}"
        if where:
            raise Fault(f"{what} changes {where}; use memory.mask wherever source positions are compared or summed")
        for t, output in enumerate(outputs):
            if output.attention is not None and bool((output.attention * ~memory.mask.unsqueeze(1)).any()):
                raise Fault(f"attention at step {t} falls on padding; its weights there must be exactly 0")


def check_empty(probe: Probe) -> None:
    """A source without any real position is scored or refused with a UserError, and harms no other."""
    if probe.memory is None:
        raise NotChecked("a decoder without a memory has no source")
    expected = probe.run(probe.start(), probe.paths)
    mask = probe.memory.mask.clone()
    mask[0] = False
    other = replace(probe, memory=replace(probe.memory, mask=mask))
    try:
        found = other.run(other.start(), other.paths)
    except UserError:
        return
    for t, (one, before) in enumerate(zip(found, expected, strict=True)):
        if bool(one.scores.isnan().any()):
            raise Fault(
                f"a source without any real position gives NaN at step {t} (a softmax of nothing but -inf?); attend to "
                "it with weights of 0, or refuse it with a UserError"
            )
        apart = probe.difference(one.scores[1:], before.scores[1:])
        if apart is not None:
            raise Fault(f"a source without any real position changes the scores of other sentences (step {t}, {apart})")


def padded_otherwise(memory: Memory) -> dict[str, Memory]:
    """The same sources with something else in the padding of one tensor at a time, and with more padding.

    Extras of shape [B, S', ...] are taken to be about source positions.
    """
    padding, found = ~memory.mask, {}
    extras = {name: x for name, x in memory.extras.items() if x.shape[:2] == padding.shape}
    if padding.any():
        found["what stands in the padding of memory.states"] = replace(memory, states=fill(memory.states, padding))
        for name, x in extras.items():
            what = f"what stands in the padding of memory.extras[{name!r}]"
            found[what] = replace(memory, extras={**memory.extras, name: fill(x, padding)})
    found["more padding"] = Memory(
        widen(memory.states),
        torch.nn.functional.pad(memory.mask, (0, ADDED)),
        memory.final,
        {name: widen(x) if name in extras else x for name, x in memory.extras.items()},
    )
    return found
