"""The compiled step and the Python one are the same function; in a search no Python runs."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from seq2seq_kit_native_example.decoder import MinimalDecoder, MinimalDecoderConfig

from seq2seq_kit import ConfigError, Memory, MemorySpec, SearchError, SearchOptions, TargetSpec, search
from seq2seq_kit.testing import check_decoder

LENGTHS = [5, 1, 4, 3]


def decoder() -> MinimalDecoder:
    torch.manual_seed(2)
    config = MinimalDecoderConfig(embedding_size=6, size=7)
    return MinimalDecoder(config, TargetSpec(vocab_size=13), MemorySpec(size=8)).eval()


def memory() -> Memory:
    torch.manual_seed(3)
    return Memory(torch.randn(4, 5, 8), torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(1))


def native_step(given: Memory) -> Any:
    offered = decoder().native()
    assert offered is not None
    return offered.begin(given, len(LENGTHS))


def test_it_keeps_the_contract() -> None:
    check_decoder(decoder(), memory())


@pytest.mark.parametrize(
    "options",
    [
        {"beam_size": 1},
        {"beam_size": 4, "n_best": 4, "attention": True},
        {"beam_size": 3, "min_length": 6, "no_repeat_ngram": 2},
        {"beam_size": 2, "sampling": "tokens", "seed": 5},
    ],
    ids=str,
)
def test_both_steps_find_the_same(options: dict[str, Any]) -> None:
    searched, given, python = SearchOptions(max_length=12, **options), memory(), decoder()
    with torch.inference_mode():
        expected = search(python.step, python.init_state(given, 4), searched, source_lengths=LENGTHS)
        found = search(native_step(given), options=searched, source_lengths=LENGTHS)
    assert [[h.tokens for h in own] for own in found] == [[h.tokens for h in own] for own in expected]
    for own, others in zip(found, expected, strict=True):
        for one, other in zip(own, others, strict=True):
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-5)
            assert (one.attention is None) == (other.attention is None)
            assert one.attention is None or torch.allclose(one.attention, other.attention, atol=1e-6)


def test_no_python_runs_during_a_search() -> None:
    step, events = native_step(memory()), []

    def record(frame: Any, event: str, argument: Any) -> None:
        events.append("search" if getattr(argument, "__name__", "") == "search" else f"{event} {frame.f_code.co_name}")

    sys.setprofile(record)
    try:
        found = search(step, options=SearchOptions(beam_size=4, max_length=20, min_length=9), batch_size=4)
    finally:
        sys.setprofile(None)
    assert all(len(own[0].tokens) >= 9 for own in found)
    begin = events.index("search")
    assert events[begin + 1] == "search"  # its end


def test_another_decoders_state_gets_a_sentence() -> None:
    offered = decoder().native()
    assert offered is not None
    wrong = type(offered)(offered.name, offered.init_state, ())
    with pytest.raises(SearchError, match="expected the state and the weights of a MinimalDecoder"):
        search(wrong.begin(memory(), 4), options=SearchOptions(), batch_size=4)


def test_it_is_offered_for_what_it_computes() -> None:
    assert decoder().train().native() is None
    assert decoder().native("int8") is None
    with pytest.raises(ConfigError, match="needs an encoder"):
        MinimalDecoder(MinimalDecoderConfig(), TargetSpec(vocab_size=5), None)
