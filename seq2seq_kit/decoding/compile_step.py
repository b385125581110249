"""Compiles a decoder's Python step ahead of time: exported by ``torch.export``, made machine code by AOTInductor.

The step is exported with sizes that vary (sentences, hypotheses, positions of the past and of the source) left open.
Which dimensions of the state vary with the source is found by trying two lengths. The code is then held to the Python
step.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch._inductor
from torch import Tensor, nn

from seq2seq_kit.decoding.compiled import state_names
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch, Decoder, DecoderState, Memory, SourceSpec, StepOutput, TargetSpec

MemoryOf = Callable[[int, int], Memory | None]
"""The memory of ``batch`` random sources, the longest of ``length`` positions."""

BATCH, BEAMS, PAST = 3, 5, 7  # of the example that is exported: unlike each other, for torch takes like for same
LENGTHS = (24, 40)
TRIED = ((1, 1, 24), (3, 2, 9), (1, 4, 2), (2, 3, 1))
"""Sentences, hypotheses and source positions with which the code is compared with the Python step."""
STEPS = 3
TOLERANCE = 1e-4
"""Of rounding, as a share of the greatest number in a tensor (at least 1)."""
SETTINGS = {
    "freezing": True,  # weights are constants, packed for the products that they are in
    "cpp.dynamic_threads": True,  # as many as torch has where the code runs, not as there were where it was compiled
}
"""Of AOTInductor."""


class _Flat(nn.Module):
    """A decoder's step with lists in the place of dicts, as compiled code has it."""

    def __init__(self, decoder: Decoder, names: list[list[str]]) -> None:
        super().__init__()
        self.decoder = decoder
        self.names = names

    def forward(
        self, tokens: Tensor, position: Tensor, rows: list[Tensor], history: list[Tensor], sentences: list[Tensor]
    ) -> list[Tensor]:
        parts = zip(self.names, (rows, history, sentences), strict=True)
        state = DecoderState(*(dict(zip(names, tensors, strict=True)) for names, tensors in parts))
        return _flat(self.decoder.step(tokens, position, state), state)


def _flat(output: StepOutput, state: DecoderState) -> list[Tensor]:
    tensors = [output.scores, *(output.rows[name] for name in state.rows)]
    tensors += [output.new_history[name] for name in state.history]
    return tensors if output.attention is None else [*tensors, output.attention]


def compile_step(decoder: Decoder, memory_of: MemoryOf, target: TargetSpec, path: Path) -> None:
    """Write the package of ``decoder``'s step, in eval mode and on the CPU.

    Raises:
        UserError: torch cannot export or compile the step, there is no C++ compiler, or the code computes something
            else than the step (where a step asks a tensor for its size in Python, say, and that size was left open).
    """
    decoder = copy.deepcopy(decoder).eval().requires_grad_(False)
    who = f"the step of {type(decoder).__name__}"
    with torch.no_grad(), _quiet():
        inputs, shapes, names = _example(decoder, memory_of)
        try:
            program = torch.export.export(_Flat(decoder, names), inputs, dynamic_shapes=shapes, strict=False)
        except Exception as error:
            raise UserError(f"{who} cannot be compiled: torch.export says: {_first(error)}") from error
        try:
            torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=SETTINGS)
        except Exception as error:
            if "compiler" in type(error).__name__.lower() or "No working C++ compiler" in str(error):
                raise UserError("compiling needs a C++ compiler: install one (g++), or name it in CXX") from error
            raise UserError(f"{who} cannot be compiled: AOTInductor says: {_first(error)}") from error
        _compare(decoder, memory_of, target, torch._inductor.aoti_load_package(str(path)), who)


def random_sources(spec: SourceSpec, batch: int, length: int) -> Batch:
    """``batch`` sources of unlike lengths, the longest of ``length`` positions."""
    lengths = torch.arange(length, length - batch, -1).clamp(min=1)
    mask = torch.arange(length) < lengths.unsqueeze(1)
    if spec.vocab_size is None:
        assert spec.feature_size is not None
        return Batch(torch.randn(batch, length, spec.feature_size).masked_fill(~mask.unsqueeze(-1), 0), mask)
    source = torch.randint(spec.vocab_size, (batch, length)).masked_fill(~mask, spec.pad_id)
    return Batch(source, mask)


def _example(decoder: Decoder, memory_of: MemoryOf) -> tuple[tuple[Any, ...], tuple[Any, ...], list[list[str]]]:
    """Inputs of a step, which of their dimensions vary, and the names of the state."""
    states = [decoder.init_state(memory_of(BATCH, length), BATCH) for length in LENGTHS]
    names = state_names(states[0])
    open_ = torch.export.Dim.DYNAMIC
    inputs: list[Any] = [torch.zeros(BATCH, BEAMS, dtype=torch.long), torch.full((BATCH,), PAST)]
    shapes: list[Any] = [{0: open_, 1: open_}, {0: open_}]
    leading = ((BATCH, BEAMS), (BATCH, BEAMS, PAST), (BATCH,))
    for part, sizes in zip(("rows", "history", "sentences"), leading, strict=True):
        one, other = (getattr(state, part) for state in states)
        tensors, dims = [], []
        for name, tensor in one.items():
            vary = [i for i in range(tensor.dim()) if i < len(sizes) or tensor.shape[i] != other[name].shape[i]]
            shape = (*sizes, *tensor.shape[len(sizes) :])
            tensors.append(tensor.new_zeros(shape) if part == "history" else tensor.expand(shape).contiguous())
            dims.append(dict.fromkeys(vary, open_))
        inputs.append(tensors)
        shapes.append(dims)
    return tuple(inputs), tuple(shapes), names


def _compare(decoder: Decoder, memory_of: MemoryOf, target: TargetSpec, code: Callable[..., Any], who: str) -> None:
    """Steps of the code and of Python from the same states, with sizes of 0 and 1 among them."""
    compared = 0
    for batch, beams, length in TRIED:
        try:
            state = decoder.init_state(memory_of(batch, length), batch)
        except UserError:  # a source that the model refuses
            continue
        for t in range(STEPS):
            if t == 1:
                state = state.select(torch.zeros(batch, beams, dtype=torch.long))
            width = beams if t else 1
            tokens = torch.randint(target.vocab_size, (batch, width))
            position = torch.full((batch,), t)
            output = decoder.step(tokens, position, state)
            state_parts = [[x.contiguous() for x in part.values()] for part in vars(state).values()]
            _check_same(code(tokens, position, *state_parts), _flat(output, state), who, (batch, width, t))
            state = state.advance(output)
        compared += 1
    if not compared:
        raise UserError(f"{who} could not be compared with its compiled code: the model refuses every example")


def _check_same(found: Iterable[Tensor], expected: list[Tensor], who: str, sizes: tuple[int, int, int]) -> None:
    for one, other in zip(found, expected, strict=True):
        greatest = float(other.float().nan_to_num(0, 0, 0).abs().max()) if other.numel() else 0.0
        rounding = TOLERANCE * max(1.0, greatest)
        same = one.shape == other.shape and one.dtype == other.dtype
        if same and torch.allclose(one.float(), other.float(), TOLERANCE, rounding, equal_nan=True):
            continue
        batch, beams, past = sizes
        raise UserError(
            f"{who} cannot be compiled: with {batch} sentences, {beams} hypotheses and {past} past positions its "
            "compiled code computes something else, as where a step looks at a size in Python"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first(error: Exception) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
