"""What every native stepper of ours promises, whatever it computes."""

from __future__ import annotations

import pickle
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from native_steps import assert_same, forced_scores, native_step
from tiny_models import lengths_mask
from tiny_recurrent import recurrent_decoder, recurrent_memory
from tiny_transformers import transformer_decoder, transformer_memory

from seq2seq_kit.decoders.recurrent import LSTMDecoder, LSTMDecoderConfig
from seq2seq_kit.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import Decoder, Memory, MemorySpec, Precision, TargetSpec

LENGTHS = [5, 2, 0, 3, 7, 1]
Model = Callable[[], tuple[Decoder, Memory]]
MODELS: dict[str, Model] = {
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


MANY = [random.Random(i).randint(0, 9) for i in range(24)]


def ending_transformer(**options: Any) -> tuple[Decoder, Memory]:
    decoder = transformer_decoder(tie_embeddings=False, **options)  # tied, each token would come again
    with torch.no_grad():
        decoder.output_layer.weight.normal_()
        decoder.output_layer.bias[2] += 2
        for layer in decoder.layers:
            layer.attention.out.weight.mul_(3)
    return decoder, transformer_memory(MANY)


def ending_recurrent(**options: Any) -> tuple[Decoder, Memory]:
    decoder = recurrent_decoder(**options)
    assert decoder.output_layer is not None
    with torch.no_grad():
        decoder.output_layer.bias[2] += 1.5
    return decoder, recurrent_memory(MANY, options.get("final", ("h", "c")))


ENDING: dict[str, Model] = {
    "transformer": ending_transformer,
    "transformer-shaw": lambda: ending_transformer(positions="shaw", key_value_heads=1, size=24),
    "lstm": ending_recurrent,
    "gru": lambda: ending_recurrent(
        cell="gru", attention={"name": "bahdanau"}, query="previous", input_feeding=True, size=18
    ),
    "rnn": lambda: ending_recurrent(cell="rnn", attention={"name": "multihead"}, final=()),
}
"""Of ``MANY`` sentences, which end at different lengths."""


@pytest.mark.parametrize("size", [1, 3, 24])
@pytest.mark.parametrize("name", ENDING)
def test_the_batch_changes_no_bit(name: str, size: int) -> None:
    decoder, whole = ENDING[name]()
    options = SearchOptions(beam_size=4, n_best=4, max_length=15, length_penalty=0.5, attention=True)
    expected = search(native_step(decoder, whole), options=options, source_lengths=MANY)
    assert len({len(sentence[0].tokens) for sentence in expected}) > 2  # the batch shrinks

    order = random.Random(size).sample(range(24), 24)
    for start in range(0, 24, size):
        chosen = order[start : start + size]
        lengths = [MANY[i] for i in chosen]
        part = whole.select(torch.tensor(chosen))
        part = Memory(part.states[:, : max(lengths)], part.mask[:, : max(lengths)], part.final)
        found = search(native_step(decoder, part), options=options, source_lengths=lengths)
        for sentence, own in zip(chosen, found, strict=True):
            assert own == expected[sentence]
            for one, other in zip(own, expected[sentence], strict=True):
                assert one.attention is not None and other.attention is not None
                assert torch.equal(one.attention[:, : MANY[sentence]], other.attention[:, : MANY[sentence]])


WIDE = [9, 17, 1, 4, 30]


def wide_transformer() -> tuple[Decoder, Memory]:
    config = TransformerDecoderConfig(size=144, layers=2, heads=3, feed_forward_size=300, positions="rotary")
    mask = lengths_mask(WIDE)
    decoder = TransformerDecoder(config, TargetSpec(1003), MemorySpec(70))
    return decoder, Memory(torch.randn(*mask.shape, 70), mask)


def wide_lstm(score: str) -> tuple[Decoder, Memory]:
    config = LSTMDecoderConfig(embedding_size=70, size=144, layers=2, attention={"name": "luong", "score": score})
    mask = lengths_mask(WIDE)
    decoder = LSTMDecoder(config, TargetSpec(1003), MemorySpec(90, {"h": (1, 90)}))
    return decoder, Memory(torch.randn(*mask.shape, 90), mask, {"h": torch.randn(len(WIDE), 1, 90)})


MANY_PANELS: dict[str, Model] = {
    "transformer": wide_transformer,
    "lstm": lambda: wide_lstm("general"),
    "lstm-concat": lambda: wide_lstm("concat"),
}


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05), ("int8", 0.2)])
@pytest.mark.parametrize("name", MANY_PANELS)
def test_with_matrices_of_many_panels(name: str, precision: Precision, tolerance: float) -> None:
    torch.manual_seed(0)
    decoder, memory = MANY_PANELS[name]()
    targets = torch.randint(4, 1003, (len(WIDE), 12))
    native = decoder.eval().native(precision)
    assert native is not None
    own = forced_scores(native.begin(memory, len(WIDE)), None, targets)
    expected = forced_scores(decoder.step, decoder.init_state(memory, len(WIDE)), targets)
    assert own.shape == (12, len(WIDE), 1003)
    torch.testing.assert_close(own, expected, atol=tolerance, rtol=0)

    options = SearchOptions(beam_size=5, n_best=5, max_length=20, min_length=3)
    found = search(native.begin(memory, len(WIDE)), options=options, source_lengths=WIDE)
    whole_rows = replace(options, numerics="reference")
    assert_same(found, search(native.begin(memory, len(WIDE)), options=whole_rows, source_lengths=WIDE))


@pytest.mark.parametrize("name", MODELS)
def test_it_sees_every_change_of_the_weights(name: str) -> None:
    decoder, memory = MODELS[name]()
    options = SearchOptions(beam_size=2, max_length=9)

    def both() -> Any:
        state = decoder.init_state(memory, len(LENGTHS))
        return search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS)), search(
            decoder.step, state, options
        )

    first, _ = both()
    native: Any = decoder.native()
    assert decoder.native().weights is native.weights  # type: ignore[union-attr]  # packed once
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(-0.7)
    assert_same(*both())
    assert both()[0] != first
    decoder.train()
    assert decoder.native() is None
    for parameter in decoder.parameters():
        parameter.data.mul_(-1)
    decoder.eval()
    assert_same(*both())
    assert pickle.loads(pickle.dumps(decoder)).native() is not None
