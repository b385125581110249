"""What every native stepper of ours promises, whatever it computes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from native_steps import assert_same, native_step
from tiny_recurrent import recurrent_decoder, recurrent_memory
from tiny_transformers import transformer_decoder, transformer_memory

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import Decoder, Memory

LENGTHS = [5, 2, 0, 3, 7, 1]
MODELS: dict[str, Callable[[], tuple[Decoder, Memory]]] = {
    "transformer": lambda: (transformer_decoder(tie_embeddings=False), transformer_memory(LENGTHS)),
    "lstm": lambda: (recurrent_decoder(), recurrent_memory(LENGTHS)),
    "gru": lambda: (
        recurrent_decoder(cell="gru", attention={"name": "bahdanau"}, query="previous", input_feeding=True),
        recurrent_memory(LENGTHS),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_threads_change_no_bit(name: str) -> None:
    decoder, memory = MODELS[name]()
    options = SearchOptions(beam_size=4, n_best=4, max_length=15)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS)))
        assert found[0] == found[1]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("beam_size", [1, 4])
def test_no_python_runs_during_a_search(beam_size: int, name: str) -> None:
    decoder, memory = MODELS[name]()
    step = native_step(decoder, memory)
    options = SearchOptions(beam_size=beam_size, max_length=20)
    frames: list[str] = []

    def inside(frame: Any, event: str, argument: Any) -> None:
        if event == "c_call" and getattr(argument, "__name__", "") == "search":
            frames.append("begin")
        elif event == "c_return" and getattr(argument, "__name__", "") == "search":
            frames.append("end")
        else:
            frames.append(f"{event} {frame.f_code.co_name}")

    sys.setprofile(inside)
    try:
        found = search(step, options=options, batch_size=len(LENGTHS))
    finally:
        sys.setprofile(None)
    assert max(len(sentence[0].tokens) for sentence in found) > 2
    assert frames.index("end") == frames.index("begin") + 1


@pytest.mark.parametrize("name", MODELS)
def test_threads_share_the_weights(name: str) -> None:
    decoder: Any = MODELS[name]()[0]
    start = threading.Barrier(4)
    found: list[Any] = []

    def ask() -> None:
        start.wait()
        found.append(decoder.native("int8").weights)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(weights is found[0] for weights in found)


RULES: dict[str, dict[str, Any]] = {
    "greedy": {"beam_size": 1},
    "beam": {"beam_size": 4, "n_best": 4},
    "barred-end": {"beam_size": 4, "n_best": 2, "min_length": 6},
    "forced-end": {"beam_size": 4, "n_best": 4, "max_length": 2},
    "two-ends": {"beam_size": 3, "n_best": 3, "eos_ids": (2, 7), "min_length": 3},
    "no-end": {"beam_size": 3, "n_best": 3, "eos_ids": ()},
    "wide": {"beam_size": 9, "n_best": 9},  # with what is barred, more than there are tokens
    "coverage": {"beam_size": 4, "n_best": 4, "coverage_penalty": 0.7},
    "fairseq": {"beam_size": 4, "n_best": 4, "semantics": "fairseq", "min_length": 4},
    "opennmt": {"beam_size": 4, "n_best": 4, "semantics": "opennmt"},
    "marian": {"beam_size": 4, "n_best": 4, "semantics": "marian"},
    "hf": {"beam_size": 4, "n_best": 4, "semantics": "hf"},
    "hf-greedy": {"beam_size": 1, "semantics": "hf"},
    "hf-greedy-barred-end": {"beam_size": 1, "semantics": "hf", "min_length": 6},
    "ct2": {"beam_size": 4, "n_best": 4, "semantics": "ct2"},
    "ct2-barred-end": {"beam_size": 4, "n_best": 4, "semantics": "ct2", "min_length": 6},
    "ratio": {"beam_size": 4, "n_best": 2, "max_length_ratio": 1.0, "max_length_margin": 2},  # limits of their own
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rules", RULES)
def test_the_best_tokens_alone_find_what_whole_rows_find(rules: str, name: str) -> None:
    decoder, memory = MODELS[name]()
    options = SearchOptions(**{"max_length": 11, "attention": True, **RULES[rules]})
    found = search(native_step(decoder, memory), options=options, source_lengths=LENGTHS)
    exact = replace(options, numerics="reference")
    assert_same(found, search(decoder.step, decoder.init_state(memory, len(LENGTHS)), exact, source_lengths=LENGTHS))
    for own in found:
        for hypothesis in own:
            assert hypothesis.log_prob == pytest.approx(sum(hypothesis.token_log_probs), abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_may_be_searched_again_and_by_several_threads(name: str) -> None:
    decoder, memory = MODELS[name]()
    step = native_step(decoder, memory)
    options = SearchOptions(beam_size=4, n_best=4, max_length=15)
    expected = search(step, options=options, batch_size=len(LENGTHS))
    found: list[Any] = []

    def work() -> None:
        found.append([search(step, options=options, batch_size=len(LENGTHS)) for _ in range(5)])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[expected] * 5] * 3
