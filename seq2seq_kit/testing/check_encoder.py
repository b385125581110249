"""Does an encoder keep what :class:`seq2seq_kit.Encoder` promises: padding out of everything, sentences apart?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch, Encoder, Memory, SourceSpec
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.decoder_purity import attributes
from seq2seq_kit.testing.padding import ADDED, fill, widen
from seq2seq_kit.testing.probe import map_memory, memory_parts
from seq2seq_kit.testing.report import Fault, NotChecked, Report
from seq2seq_kit.testing.tiny import tiny_batch


@dataclass(frozen=True)
class _Probe:
    """An encoder in eval mode with something to read, and what it makes of it."""

    encoder: Encoder
    batch: Batch
    tolerance: float = 1e-4

    def difference(self, found: Memory, expected: Memory) -> str | None:
        """None where two memories are equal at real positions but for rounding; otherwise what of them differs."""
        if not torch.equal(found.mask.sum(1), expected.mask.sum(1)):
            return (
                f"memory.mask: {found.mask.sum(1).tolist()} real positions in place of {expected.mask.sum(1).tolist()}"
            )
        given = memory_parts(expected)
        for name, x in memory_parts(found).items():
            if name == "memory.mask" or not x.is_floating_point():
                continue
            one, other = x, given[name]
            if not name.startswith("memory.final") and x.shape[:2] == found.mask.shape:
                one, other = one[found.mask], other[expected.mask]  # [real positions, ...]
            if one.shape != other.shape:
                return f"{name}: shape {list(one.shape)} in place of {list(other.shape)}"
            gap = (one - other).abs().nan_to_num(torch.inf)
            if one.numel() and gap.max() > self.tolerance * max(1.0, float(other.abs().max())):
                return f"{name}: {float(gap.max()):.2g} apart"
        return None


def check_encoder(encoder: Encoder, source: SourceSpec | Batch, *, skip: Collection[str] = ()) -> Report:
    """Check the contract of an encoder, as :func:`check_decoder` checks that of a decoder.

    Args:
        source: what it reads (random sentences are made), or a batch of two or more sentences of unlike lengths.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(encoder, Encoder):
        raise UserError(f"check_encoder is given a {type(encoder).__name__}; it checks a seq2seq_kit.Encoder")
    refuse_unknown(skip, ENCODER_CHECKS)
    device = next((parameter.device for parameter in encoder.parameters()), torch.device("cpu"))
    batch = (tiny_batch(source) if isinstance(source, SourceSpec) else source).to(device)
    with torch.inference_mode(False):
        probe = _Probe(copy.deepcopy(encoder).eval(), _map(batch, torch.clone))
    return run_checks(type(encoder).__name__, ENCODER_CHECKS, probe, skip)


def _check_memory(probe: _Probe) -> None:
    memory, count = probe.encoder(probe.batch), len(probe.batch)
    if not isinstance(memory, Memory):
        raise Fault(f"it returns a {type(memory).__name__}, not a Memory")
    spec, mask = probe.encoder.memory_spec, memory.mask
    if memory.states.dim() != 3 or (memory.states.shape[0], memory.states.shape[2]) != (count, spec.size):
        raise Fault(
            f"memory.states has shape {list(memory.states.shape)}; it must be [B, S', H] = [{count}, S', {spec.size}], "
            "H as memory_spec.size says"
        )
    if mask.dtype != torch.bool or mask.shape != memory.states.shape[:2]:
        raise Fault(f"memory.mask is {mask.dtype} {list(mask.shape)}; it must be bool {list(memory.states.shape[:2])}")
    if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
        raise Fault("memory.mask has a real position after padding; sequences are right-padded")
    found = {name: tuple(x.shape) for name, x in memory.final.items()}
    expected = {name: (count, *sizes) for name, sizes in spec.final.items()}
    if found != expected:
        raise Fault(f"memory.final has {found or 'nothing'}, but memory_spec.final promises {expected or 'nothing'}")
    for name, x in memory_parts(memory).items():
        if x.shape[0] != count:
            raise Fault(f"{name} has shape {list(x.shape)}; it must begin with B = {count}")
    if not bool(memory.states[mask].isfinite().all()):
        raise Fault("memory.states has NaN or an infinity at a real position")


def _check_deterministic(probe: _Probe) -> None:
    given = {"source": probe.batch.source, "source_mask": probe.batch.source_mask, **probe.batch.extras}
    before = {name: (x._version, x.clone()) for name, x in given.items()}
    torch.manual_seed(0)
    first = probe.encoder(probe.batch)
    torch.manual_seed(1)
    where = replace(probe, tolerance=0).difference(probe.encoder(probe.batch), first)
    for name, x in given.items():
        if x._version != before[name][0] or not torch.equal(x, before[name][1]):
            raise Fault(f"it writes into the batch's {name} in place; return new tensors")
    if where is not None:
        raise Fault(f"read again, a batch gives other {where}; in eval mode nothing may be random (is dropout on?)")


def _check_self(probe: _Probe) -> None:
    before = attributes(probe.encoder)
    probe.encoder(_map(probe.batch, lambda x: x.flip(0)))
    changed = [name for name, value in attributes(probe.encoder).items() if before.get(name) != value]
    if changed:
        raise Fault(f"reading changes self.{' and self.'.join(changed)}; what a decoder needs goes into the memory")


def _check_sentences(probe: _Probe) -> None:
    expected = probe.encoder(probe.batch)
    for b in range(len(probe.batch)):
        alone = probe.encoder(_map(probe.batch, partial(_only, b)))
        where = probe.difference(alone, map_memory(expected, partial(_only, b)))
        if where is not None:
            raise Fault(f"alone, sentence {b} gives other {where}; a sentence may depend on nothing but itself")


def _check_padding(probe: _Probe) -> None:
    expected, batch = probe.encoder(probe.batch), probe.batch
    padding, count = ~batch.source_mask, batch.source_mask.shape[1]
    wide = _map(batch, lambda x: widen(x) if x.shape[1:2] == (count,) else x)
    wide.source_mask = nn.functional.pad(batch.source_mask, (0, ADDED))
    others = {
        "what stands in the padding of batch.source": replace(batch, source=fill(batch.source, padding)),
        "more padding": wide,
    }
    for what, other in others.items():
        where = probe.difference(probe.encoder(other), expected)
        if where is not None:
            raise Fault(f"{what} changes {where}; use batch.source_mask wherever positions meet, and to find the last")


def _check_empty(probe: _Probe) -> None:
    expected = probe.encoder(probe.batch)
    mask = probe.batch.source_mask.clone()
    mask[0] = False
    try:
        found = probe.encoder(replace(probe.batch, source_mask=mask))
    except UserError:
        return
    if any(bool(x[0].isnan().any()) for x in memory_parts(found).values()):
        raise Fault("an empty source gives NaN; make something of it (zeros, say), or refuse it with a UserError")
    where = probe.difference(map_memory(found, _rest), map_memory(expected, _rest))
    if where is not None:
        raise Fault(f"an empty source changes {where} of other sentences")


def _check_native(probe: _Probe) -> None:
    from seq2seq_kit.decoding.stepper import native_encoder  # the compiled engine: loaded only where it is needed

    native = native_encoder(probe.encoder)
    if native is None:
        raise NotChecked("it offers none for its options and device")
    where = probe.difference(native.encode(probe.batch), probe.encoder(probe.batch))
    if where is not None:
        raise Fault(f"what native() offers gives other {where} than forward; they must be the same function")


ENCODER_CHECKS = (
    Check("memory", "the memory has the shapes that memory_spec promises", _check_memory),
    Check(
        "deterministic",
        "a batch gives the same memory twice, and stays as it is",
        _check_deterministic,
        ("memory",),
    ),
    Check("self", "nothing is kept between calls", _check_self, ("deterministic",)),
    Check("padding", "padding changes nothing", _check_padding, ("self",)),
    Check("sentences", "a sentence is read alike alone and among others", _check_sentences, ("padding",)),
    Check("empty", "an empty source is read or refused", _check_empty, ("sentences",)),
    Check("native", "what native() offers, if anything, is forward", _check_native, ("memory",)),
)


def _map(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """``change`` applied to what an encoder reads of a batch."""
    extras = {name: change(x) for name, x in batch.extras.items()}
    return Batch(change(batch.source), change(batch.source_mask), extras=extras)


def _only(b: int, x: Tensor) -> Tensor:
    return x[b : b + 1]


def _rest(x: Tensor) -> Tensor:
    return x[1:]
