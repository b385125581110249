"""What the tests of native steppers share: the step of a decoder, what a search sees of it, and comparisons."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import Numerics, SearchOptions
from seq2seq_kit.decoding.search import NativeStep, search
from seq2seq_kit.decoding.stepper import native_decoder
from seq2seq_kit.interfaces import Decoder, Memory, ProcessorOutput

NEAR_TIE = 1e-5


def native_step(decoder: Decoder, memory: Memory | None, batch_size: int | None = None) -> NativeStep:
    native = native_decoder(decoder)
    assert native is not None
    return native.begin(memory, len(memory.mask) if memory is not None else batch_size or 1)


def record(step: Any, state: Any, options: SearchOptions, **how: Any) -> tuple[list[Tensor], list[list[Hypothesis]]]:
    """The log-probabilities [B, K, V] of every step of a search, and what it found."""
    seen: list[Tensor] = []

    def watch(scores: Tensor, tokens: Tensor, state: Any) -> ProcessorOutput:
        seen.append(scores.clone())
        return ProcessorOutput(scores=scores)

    return seen, search(step, state, options, processors=[watch], **how)


def assert_same(found: list[list[Hypothesis]], expected: list[list[Hypothesis]]) -> None:
    for own, other in zip(found, expected, strict=True):
        assert [h.score for h in own] == pytest.approx([h.score for h in other], abs=1e-4)
        if [h.tokens for h in own] != [h.tokens for h in other]:  # then two of them are nearly alike
            scores = sorted(h.score for h in other)
            assert min(b - a for a, b in itertools.pairwise(scores)) < NEAR_TIE, (own, other)


def assert_every_step_is_the_python_step(decoder: Decoder, memory: Memory) -> None:
    """Within rounding: the scores of all steps of a search, what it finds, and its attention."""
    how = SearchOptions(beam_size=3, n_best=3, max_length=12, attention=True, numerics="reference")
    scores, found = record(native_step(decoder, memory), None, how, batch_size=len(memory.mask))
    expected_scores, expected = record(decoder.step, decoder.init_state(memory, len(memory.mask)), how)
    assert_same(found, expected)
    for seen, wanted in zip(scores, expected_scores, strict=False):
        torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)
    for own, other in zip(found, expected, strict=True):
        for one, two in zip(own, other, strict=True):
            assert (one.attention is None) == (two.attention is None)
            if one.tokens == two.tokens and one.attention is not None:
                torch.testing.assert_close(one.attention, two.attention, atol=1e-4, rtol=0)


def forced_scores(step: Any, state: Any, targets: Tensor) -> Tensor:
    """The log-probabilities [T, B, V] of a search that writes ``targets`` [B, T]."""
    seen: list[Tensor] = []

    def force(scores: Tensor, tokens: Tensor, state: Any) -> ProcessorOutput:
        seen.append(scores[:, 0].clone())
        chosen = targets[:, tokens.shape[2] - 1].view(-1, 1, 1)
        return ProcessorOutput(scores=torch.full_like(scores, -torch.inf).scatter(2, chosen, 0.0))

    options = SearchOptions(beam_size=1, max_length=targets.shape[1], eos_ids=())
    search(step, state, options, batch_size=len(targets), processors=[force])
    return torch.stack(seen)


def most_bytes_at_a_time(step: NativeStep, batch_size: int, numerics: Numerics, **rules: Any) -> int:
    """The most that torch gave at a time in a search."""
    options = SearchOptions(**{"beam_size": 4, "max_length": 6, "numerics": numerics, **rules})
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        search(step, options=options, batch_size=batch_size)
    assert profile.profiler is not None
    events = profile.profiler.kineto_results.events()
    return max(event.nbytes() for event in events if event.name() == "[memory]")
