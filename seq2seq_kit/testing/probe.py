"""A decoder under test with something to decode: how the checks run it, and how they compare what comes out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, overload

import torch
from torch import Tensor, nn

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Decoder, DecoderState, Memory, MemorySpec, StepOutput, TargetSpec
from seq2seq_kit.testing.tiny import LENGTHS, random_copies, random_memory

M = TypeVar("M", bound=nn.Module)

BEAMS, STEPS = 3, 6
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}


@dataclass(frozen=True)
class Probe:
    """A decoder in eval mode with something to decode.

    Args:
        paths: [B, K, T] int64, the tokens that each slot is fed, BOS first.
        tolerance: scores that differ by up to this times the greatest of them (at least 1) differ by rounding.
    """

    decoder: Decoder
    memory: Memory | None
    target: TargetSpec
    paths: Tensor
    tolerance: float

    def start(self) -> DecoderState:
        """The first state."""
        return self.decoder.init_state(self.memory, self.paths.shape[0])

    def step(self, tokens: Tensor, t: int, state: DecoderState) -> StepOutput:
        """One step at position ``t`` with ``tokens`` [B, K]."""
        return self.decoder.step(tokens, torch.full_like(tokens[:, 0], t), state)

    def run(self, state: DecoderState, paths: Tensor, shift: int = 0) -> list[StepOutput]:
        """Decode ``paths`` [B, K, T] from the first state on, a slot for each; ``shift`` is added to positions."""
        state = state.select(torch.zeros_like(paths[:, :, 0]))
        outputs = []
        for t in range(paths.shape[2]):
            outputs.append(self.step(paths[:, :, t], t + shift, state))
            state = state.advance(outputs[-1])
        return outputs

    def teach(self, prefix: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor | None]:
        """Scores [B, T, V'] and attention [B, T, S'] of teacher forcing with ``prefix`` [B, T]."""
        decoded = self.decoder(prefix, memory)
        return self.decoder.output(decoded.hidden, memory), decoded.attention

    def cast(self, dtype: torch.dtype) -> Probe:
        """The same in another floating dtype, with a copy of the decoder."""
        decoder = copy.deepcopy(self.decoder).to(dtype)
        memory = map_memory(self.memory, lambda x: x.to(dtype) if x.is_floating_point() else x)
        return replace(self, decoder=decoder, memory=memory, tolerance=TOLERANCE.get(dtype, 0.05))

    def to(self, device: str) -> Probe:
        """The same on another device, with a copy of the decoder."""
        decoder = copy.deepcopy(self.decoder).to(device)
        memory = map_memory(self.memory, lambda x: x.to(device))
        return replace(self, decoder=decoder, memory=memory, paths=self.paths.to(device))

    def difference(self, found: Tensor, expected: Tensor, names: Sequence[str] = ("sentence", "slot")) -> str | None:
        """None where two tensors are equal but for rounding; otherwise where they are furthest apart, and how far.

        Where one has more entries in the last dimension (words to copy), they must be -inf.

        Args:
            names: what the leading dimensions count.
        """
        return difference(found, expected, self.tolerance, names)

    def first_difference(self, found: Sequence[StepOutput], expected: Sequence[StepOutput]) -> str | None:
        """Where scores or attention of two decodings first differ, and how far."""
        for t, (one, other) in enumerate(zip(found, expected, strict=True)):
            apart = self.difference(one.scores, other.scores)
            if apart is not None:
                return f"scores at step {t}, {apart}"
            if one.attention is not None and other.attention is not None:
                width = min(one.attention.shape[-1], other.attention.shape[-1])  # padding may have been added
                apart = self.difference(one.attention[..., :width], other.attention[..., :width])
                if apart is not None:
                    return f"attention at step {t}, {apart}"
        return None


def difference(found: Tensor, expected: Tensor, tolerance: float, names: Sequence[str]) -> str | None:
    """See :meth:`Probe.difference`."""
    if found.shape[:-1] != expected.shape[:-1]:
        return f"shape {list(found.shape)} in place of {list(expected.shape)}"
    width = min(found.shape[-1], expected.shape[-1])
    one, other, rest = found[..., :width], expected[..., :width], found[..., width:]
    if found.shape[-1] == width:
        rest = expected[..., width:]
    gap = (one - other).abs().nan_to_num(math.inf).masked_fill(one == other, 0)
    gap = torch.cat([gap, torch.zeros_like(rest).masked_fill(rest != -math.inf, math.inf)], -1)
    finite = other[other.isfinite()].abs()
    if not gap.numel() or gap.max() <= tolerance * max(1.0, float(finite.max()) if finite.numel() else 0.0):
        return None
    place = torch.unravel_index(gap.argmax(), gap.shape)
    return f"{', '.join(f'{n} {int(i)}' for n, i in zip(names, place, strict=False))}: {float(gap.max()):.2g} apart"


def make_probe(decoder: Decoder, memory: Memory | MemorySpec | None, target: TargetSpec | None) -> Probe:
    """A probe with a copy of ``decoder``; see :func:`working_copy`.

    Args:
        memory: its sizes are enough.
        target: None: as many tokens as the decoder scores, and the default special ids.
    """
    decoder = working_copy(decoder)
    example = next((p for p in decoder.parameters() if p.is_floating_point()), torch.empty(0))
    if isinstance(memory, MemorySpec):
        memory = random_memory(memory, example)
        if decoder.copies:
            if target is None:
                raise UserError(
                    "a decoder that copies is checked with the vocabulary that it was built with: give target"
                )
            memory.extras = random_copies(memory.mask.cpu(), target.vocab_size)
    memory = map_memory(memory, lambda x: x.detach().clone().to(example.device))
    batch_size = len(LENGTHS) if memory is None else memory.mask.shape[0]
    target = target or TargetSpec(_vocab_size(decoder, memory, batch_size, example.device))
    paths = _random_paths(target, batch_size).to(example.device)
    return Probe(decoder, memory, target, paths, TOLERANCE.get(example.dtype, 0.05))


@torch.no_grad()
def working_copy(module: M) -> M:
    """A copy in eval mode, its constant parameters (zero biases, say) made random: they hide faults."""
    try:
        module = copy.deepcopy(module).eval()
    except Exception as error:
        raise UserError(
            f"{type(module).__name__} is checked on a copy, but cannot be copied (does it keep on self a tensor "
            f"that it has computed?): {error}"
        ) from None
    for parameter in module.parameters():
        if parameter.is_floating_point() and parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
            scale = 0.1 if parameter.dim() < 2 else parameter.shape[-1] ** -0.5
            parameter.add_(scale * torch.randn_like(parameter))
    return module


@overload
def map_memory(memory: Memory, change: Callable[[Tensor], Tensor]) -> Memory: ...


@overload
def map_memory(memory: None, change: Callable[[Tensor], Tensor]) -> None: ...


def map_memory(memory: Memory | None, change: Callable[[Tensor], Tensor]) -> Memory | None:
    """``change`` applied to every tensor of a memory."""
    if memory is None:
        return None
    final = {name: change(x) for name, x in memory.final.items()}
    extras = {name: change(x) for name, x in memory.extras.items()}
    return Memory(change(memory.states), change(memory.mask), final, extras)


def take(state: DecoderState, sentences: Tensor) -> DecoderState:
    """The state of some sentences, as the engine makes it when others are done."""
    rows, history, per_sentence = (
        {name: x[sentences] for name, x in part.items()} for part in (state.rows, state.history, state.sentences)
    )
    return DecoderState(rows, history, per_sentence)


def parts(state: DecoderState) -> dict[str, Tensor]:
    """Every tensor of a state by the name that a reader of the code would give it."""
    named = {"rows": state.rows, "history": state.history, "sentences": state.sentences}
    return {f"{part}[{name!r}]": x for part, tensors in named.items() for name, x in tensors.items()}


def memory_parts(memory: Memory | None) -> dict[str, Tensor]:
    """Every tensor of a memory by the name that a reader of the code would give it."""
    if memory is None:
        return {}
    final = {f"memory.final[{name!r}]": x for name, x in memory.final.items()}
    extras = {f"memory.extras[{name!r}]": x for name, x in memory.extras.items()}
    return {"memory.states": memory.states, "memory.mask": memory.mask, **final, **extras}


def _random_paths(target: TargetSpec, batch_size: int) -> Tensor:
    """[B, K, T] ordinary tokens after BOS; the first ones differ from slot to slot, where there are enough."""
    special = {target.pad_id, target.bos_id, target.eos_id}
    ordinary = torch.tensor([i for i in range(target.vocab_size) if i not in special] or list(range(target.vocab_size)))
    drawn = torch.randint(len(ordinary), (batch_size, BEAMS, STEPS))
    drawn[:, :, 1] = (drawn[:, :1, 1] + torch.arange(BEAMS)) % len(ordinary)
    paths = ordinary[drawn]
    paths[:, :, 0] = target.bos_id
    return paths


def _vocab_size(decoder: Decoder, memory: Memory | None, batch_size: int, device: torch.device) -> int:
    """As many tokens as a first step scores. A step that fails is named by the checks, which any number will do for."""
    try:
        tokens = torch.full((batch_size, 1), TargetSpec(0).bos_id, device=device)
        output = decoder.step(tokens, torch.zeros_like(tokens[:, 0]), decoder.init_state(memory, batch_size))
        return output.scores.shape[-1]
    except Exception:
        return 8
