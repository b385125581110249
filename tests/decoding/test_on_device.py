"""Decoders on an accelerator: padded history, and searches whose state stays there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from devices import DEVICES
from native_steps import assert_same
from tiny_models import tiny_batch, tiny_model
from tiny_transformers import name_of, transformer_decoder, transformer_memory
from torch import Tensor

from seq2seq_kit.decoders.transformer import TransformerDecoder
from seq2seq_kit.decoding.on_device import recording, takes_padding
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import Decoder, DecoderState, Memory, StepOutput

TAKES_PADDING: list[dict[str, Any]] = [
    *({"positions": kind} for kind in ("sinusoidal", "shaw", "t5", "rotary", "alibi", "none")),
    {"key_value_heads": 1},
    {"attention": "bahdanau"},
    {"positions": "t5", "norm": "rms", "bias": False, "scale_attention": False},
]


def padded(state: DecoderState, room: int) -> DecoderState:
    """The state with room for so many positions."""

    def pad(x: Tensor) -> Tensor:
        return torch.cat([x, x.new_zeros(*x.shape[:2], room - x.shape[2], *x.shape[3:])], 2)

    shown = DecoderState(state.rows, {name: pad(x) for name, x in state.history.items()}, state.sentences)
    shown.padded = True
    return shown


@pytest.mark.parametrize("options", TAKES_PADDING, ids=name_of)
@torch.no_grad()
def test_padding_behind_the_past_changes_nothing(options: dict[str, Any]) -> None:
    decoder = transformer_decoder(**options)
    assert takes_padding(decoder.step)
    state = decoder.init_state(transformer_memory([6, 3, 1]), 3)
    state = state.select(torch.zeros(3, 2, dtype=torch.long))
    for t, tokens in enumerate(torch.randint(4, 11, (5, 3, 2))):
        position = torch.full((3,), t)
        expected = decoder.step(tokens, position, state)
        for room in (t, t + 1, 9):
            found = decoder.step(tokens, position, padded(state, room))
            torch.testing.assert_close(found.scores, expected.scores)
            torch.testing.assert_close(found.new_history, expected.new_history)
        state = state.advance(expected)


def again(enqueue: Callable[[], None]) -> Callable[[], None]:
    return enqueue


def assert_searched_alike(decoder: Decoder, memory: Memory, device: str) -> None:
    options = SearchOptions(beam_size=3, n_best=3, max_length=40)
    decoder, batch = decoder.to(device), len(memory.mask)
    memory = replace(memory, states=memory.states.to(device), mask=memory.mask.to(device))
    with recording(torch.device(device)) as record:
        found = search(
            decoder.step, decoder.init_state(memory, batch), options, _search_on_device=True, _record=record or again
        )
    step: Any = lambda *given: decoder.step(*given)  # noqa: E731 - not the decoder's own: never padded
    expected = search(step, decoder.init_state(memory, batch), options, stop=lambda _, sums: torch.zeros_like(sums) > 0)
    assert_same(found, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", [*TAKES_PADDING, {"positions": "learned"}, {"autoregressive": "ssru"}], ids=name_of)
@torch.no_grad()
def test_a_transformer_is_searched_alike(options: dict[str, Any], device: str) -> None:
    assert_searched_alike(transformer_decoder(**options), transformer_memory([6, 3, 1, 6]), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", [{}, {"input_feeding": True}, {"attention": "bahdanau"}], ids=name_of)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@torch.no_grad()
def test_a_recurrent_decoder_is_searched_alike(cell: str, options: dict[str, Any], device: str) -> None:
    model = tiny_model(cell, {"name": cell, **options}).to(device)
    assert_searched_alike(model.decoder, model.encode(tiny_batch().to(device)), device)


def test_what_a_class_says_holds_for_its_own_step() -> None:
    class Another(TransformerDecoder):
        def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
            return super().step(tokens, position, state)

    class Knows(Another):
        takes_padding = True

        def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
            return super().step(tokens, position, state)

    decoder = transformer_decoder()
    assert takes_padding(decoder.step)
    assert not takes_padding(decoder.forward) and not takes_padding(lambda *_: None)
    assert not takes_padding(transformer_decoder(positions="learned").step)
    for cls, expected in ((Another, False), (Knows, True)):
        decoder.__class__ = cls
        assert takes_padding(decoder.step) == expected
    decoder.step = lambda *_: None  # type: ignore[assignment]
    assert not takes_padding(decoder.step)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_step_that_reads_a_value_is_launched_anew_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        scores = torch.zeros(*tokens.shape, 6, device=tokens.device)
        scores[..., 3 if int(position[0]) % 2 else 4] = 1
        return scores

    state = DecoderState(sentences={"mask": torch.ones(2, 3, device="cuda")})
    found = search(step, state, SearchOptions(beam_size=1, max_length=8))
    assert [h.tokens[:8] for h in found[0]] == [[4, 3] * 4]
    assert "cannot be recorded as a CUDA graph" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_python_is_called_until_a_step_is_recorded() -> None:
    calls = []

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        calls.append(1)
        return torch.nn.functional.one_hot((tokens * 3 + 4) % 11, 11).float()

    state = DecoderState(sentences={"mask": torch.ones(2, 3, device="cuda")})
    found = search(step, state, SearchOptions(beam_size=1, max_length=30, eos_ids=()))
    assert len(found[0][0].tokens) == 30 and len(calls) == 4  # three as they are, and one that is recorded
