"""What ``init_state`` and ``step`` return: names, shapes, dtypes and values."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, StepOutput
from seq2seq_kit.testing.probe import Probe
from seq2seq_kit.testing.report import Fault


def check_state(probe: Probe) -> None:
    state, batch = probe.start(), probe.paths.shape[0]
    if not isinstance(state, DecoderState):
        raise Fault(f"init_state returns a {type(state).__name__}, not a DecoderState")
    expected = {
        "rows": ((batch, 1), "[B, K = 1, ...]"),
        "history": ((batch, 1, 0), "[B, K = 1, t = 0, ...], no position yet"),
        "sentences": ((batch,), "[B, ...], one entry a sentence"),
    }
    for part, (leading, words) in expected.items():
        for name, x in _tensors(f"init_state's {part}", getattr(state, part)).items():
            if tuple(x.shape[: len(leading)]) != leading:
                raise Fault(
                    f"init_state gives {part}[{name!r}] shape {list(x.shape)}; with B = {batch} it must be {words}"
                )


def check_step(probe: Probe) -> None:
    state = probe.start().select(torch.zeros_like(probe.paths[:, :, 0]))
    attended = None
    for t in range(min(3, probe.paths.shape[2])):
        output = probe.step(probe.paths[:, :, t], t, state)
        if not isinstance(output, StepOutput):
            raise Fault(f"step returns a {type(output).__name__}, not a StepOutput")
        _check_scores(probe, output, t)
        for name, x, before in _matched("rows", output.rows, state.rows):
            _check_like(f"rows[{name!r}]", x, before, before.shape, "[B, K, ...] as in the state it was given")
        for name, x, before in _matched("new_history", output.new_history, state.history):
            one = (*before.shape[:2], 1, *before.shape[3:])
            _check_like(f"new_history[{name!r}]", x, before, one, "[B, K, 1, ...], the new position alone")
        _check_attention(probe, output)
        if t and attended != (output.attention is not None):
            raise Fault("step returns attention at some steps and None at others")
        attended = output.attention is not None
        state = state.advance(output)


def _check_scores(probe: Probe, output: StepOutput, t: int) -> None:
    scores, (batch, beams) = output.scores, probe.paths.shape[:2]
    if not isinstance(scores, Tensor) or not scores.is_floating_point():
        kind = scores.dtype if isinstance(scores, Tensor) else type(scores).__name__
        raise Fault(f"step's scores are {kind}; they must be a floating tensor")
    if scores.dim() != 3 or tuple(scores.shape[:2]) != (batch, beams):
        raise Fault(f"step's scores have shape {list(scores.shape)}; they must be [B, K, V'] = [{batch}, {beams}, ...]")
    if scores.shape[2] < probe.target.vocab_size:
        raise Fault(f"step scores {scores.shape[2]} tokens, fewer than the vocabulary's {probe.target.vocab_size}")
    if output.kind != probe.decoder.score_kind:
        raise Fault(
            f"step says that its scores are {output.kind!r}, but the decoder's score_kind is "
            f"{probe.decoder.score_kind!r}; step and output are one function, so the two must be the same"
        )
    if scores.device.type == "meta":
        return
    if bool((scores.isnan() | (scores == math.inf)).any()):
        raise Fault(f"step {t} scores some tokens NaN or +inf; every score must be a number or -inf")
    if output.kind == "log_probs" and float(scores.max()) > probe.tolerance:
        raise Fault(f"step {t} gives a log-probability of {float(scores.max()):.2g}, above 0; return logits as such")


def _check_attention(probe: Probe, output: StepOutput) -> None:
    weights, (batch, beams) = output.attention, probe.paths.shape[:2]
    if weights is None:
        return
    width = None if probe.memory is None else probe.memory.mask.shape[1]
    shape = list(weights.shape) if isinstance(weights, Tensor) else type(weights).__name__
    if (
        not isinstance(weights, Tensor)
        or weights.dim() != 3
        or shape[:2] != [batch, beams]
        or shape[2] != (width or shape[2])
    ):
        raise Fault(
            f"step's attention is {shape}; it must be [B, K, S'] = [{batch}, {beams}, {width or 'any'}] or None"
        )


def _tensors(what: str, given: object) -> Mapping[str, Tensor]:
    if not isinstance(given, dict):
        raise Fault(f"{what} is a {type(given).__name__}, not a dict of tensors")
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise Fault(f"{what} holds a {type(x).__name__} as {name!r}; only tensors can be reordered by the engine")
    return given


def _matched(part: str, given: object, state: Mapping[str, Tensor]) -> list[tuple[str, Tensor, Tensor]]:
    """Each tensor that a step returned beside the one it was given; the names must be the same."""
    returned = _tensors(f"step's {part}", given)
    missing, strange = sorted(state.keys() - returned.keys()), sorted(returned.keys() - state.keys())
    if missing or strange:
        parts = [f"leave out {', '.join(map(repr, missing))}"] * bool(missing)
        parts += [f"add {', '.join(map(repr, strange))}"] * bool(strange)
        raise Fault(f"step's {part} {' and '.join(parts)}; the names must stay those that init_state gave")
    return [(name, returned[name], before) for name, before in state.items()]


def _check_like(what: str, x: Tensor, before: Tensor, shape: tuple[int, ...], words: str) -> None:
    if tuple(x.shape) != tuple(shape):
        raise Fault(f"step returns {what} with shape {list(x.shape)}; it must be {list(shape)} = {words}")
    if x.dtype != before.dtype:
        raise Fault(
            f"{what} is {_short(before.dtype)} before a step and {_short(x.dtype)} after it; init_state must make "
            "it in the dtype that step returns, which is that of the parameters (weight.new_zeros does)"
        )


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
