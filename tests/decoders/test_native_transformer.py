"""The engine's own Transformer stepper does what the decoder's Python step does, and depends on nothing else."""

from __future__ import annotations

import copy
import itertools
import pickle
import random
import sys
import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import lengths_mask
from tiny_transformers import DECODER, MEMORY, name_of, one_at_a_time, shake, tiny_decoder, together
from torch import Tensor

from seq2seq_kit.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from seq2seq_kit.decoding.ensemble import Ensemble, Member
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import Numerics, SearchOptions
from seq2seq_kit.decoding.search import NativeStep, search
from seq2seq_kit.decoding.stepper import native_decoder
from seq2seq_kit.errors import SearchError, UserError
from seq2seq_kit.interfaces import Memory, MemorySpec, Precision, ProcessorOutput, TargetSpec
from seq2seq_kit.layers.embedding import ScaledEmbedding

NATIVE = {name: values for name, values in DECODER.items() if name != "autoregressive"} | {
    "attention": [None, {"name": "multihead", "heads": 3, "size": 6}],
    "size": [8, 24],
    "heads": [2, 4],
}
"""The options that the native stepper has."""
NEAR_TIE = 1e-5
LENGTHS = [5, 2, 0, 3, 7, 1]


def decoder_of(memory: MemorySpec | None = MEMORY, **options: Any) -> TransformerDecoder:
    """A decoder whose distributions are neither flat nor certain, and with every parameter in use."""
    decoder = tiny_decoder(memory, **options)
    shake(decoder)
    with torch.no_grad():
        decoder.embedding.weight.normal_()
    return decoder.eval()


def memory_of(lengths: list[int] | None = None, seed: int = 0) -> Memory:
    """Random states, with padding that is noticed where it is read."""
    lengths = LENGTHS if lengths is None else lengths
    generator = torch.Generator().manual_seed(seed)
    mask = lengths_mask(lengths)
    states = torch.randn(len(lengths), mask.shape[1], MEMORY.size, generator=generator)
    return Memory(states.masked_fill(~mask.unsqueeze(-1), 1e9), mask)


def native_step(decoder: TransformerDecoder, memory: Memory | None, batch_size: int | None = None) -> NativeStep:
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


@pytest.mark.parametrize("options", [{}, *one_at_a_time(NATIVE), *together(NATIVE, 40)], ids=name_of)
def test_every_step_is_the_python_step(options: dict[str, Any]) -> None:
    decoder, memory = decoder_of(**options), memory_of()
    how = SearchOptions(beam_size=3, n_best=3, max_length=12, attention=True, numerics="reference")
    scores, found = record(native_step(decoder, memory), None, how, batch_size=len(LENGTHS))
    expected_scores, expected = record(decoder.step, decoder.init_state(memory, len(LENGTHS)), how)
    assert_same(found, expected)
    for seen, wanted in zip(scores, expected_scores, strict=False):
        torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)
    for own, other in zip(found, expected, strict=True):
        for one, two in zip(own, other, strict=True):
            if one.tokens == two.tokens:
                torch.testing.assert_close(one.attention, two.attention, atol=1e-4, rtol=0)


@pytest.mark.parametrize("positions", NATIVE["positions"])
def test_without_a_memory(positions: str) -> None:
    decoder = decoder_of(None, positions=positions)
    options = SearchOptions(beam_size=3, n_best=3, max_length=9)
    found = search(native_step(decoder, None, 2), options=options, batch_size=2)
    assert_same(found, search(decoder.step, decoder.init_state(None, 2), options))
    assert found[0][0].attention is None


@pytest.mark.parametrize("size", [1, 3, 24])
@pytest.mark.parametrize("options", [{}, {"positions": "shaw", "key_value_heads": 1, "size": 24}], ids=name_of)
def test_the_batch_changes_no_bit(options: dict[str, Any], size: int) -> None:
    decoder = decoder_of(tie_embeddings=False, **options)
    with torch.no_grad():  # sentences end at different lengths (with tied embeddings each token would come again)
        decoder.output_layer.weight.normal_()
        decoder.output_layer.bias[2] += 2
        for layer in decoder.layers:
            layer.attention.out.weight.mul_(3)
    lengths = [random.Random(i).randint(0, 9) for i in range(24)]
    whole = memory_of(lengths)
    search_options = SearchOptions(beam_size=4, n_best=4, max_length=15, length_penalty=0.5, attention=True)
    expected = search(native_step(decoder, whole), options=search_options, source_lengths=lengths)
    assert len({len(sentence[0].tokens) for sentence in expected}) > 2  # the batch shrinks

    order = random.Random(size).sample(range(24), 24)
    for start in range(0, 24, size):
        chosen = order[start : start + size]
        width = max(lengths[i] for i in chosen)
        part = Memory(whole.states[chosen, :width], whole.mask[chosen, :width])
        found = search(native_step(decoder, part), options=search_options, source_lengths=[lengths[i] for i in chosen])
        for sentence, own in zip(chosen, found, strict=True):
            assert own == expected[sentence]
            for one, other in zip(own, expected[sentence], strict=True):
                assert torch.equal(one.attention[:, : lengths[sentence]], other.attention[:, : lengths[sentence]])


def test_threads_change_no_bit() -> None:
    decoder, memory = decoder_of(), memory_of()
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


@pytest.mark.parametrize("beam_size", [1, 4])
def test_no_python_runs_during_a_search(beam_size: int) -> None:
    decoder, memory = decoder_of(), memory_of()
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
    "ct2": {"beam_size": 4, "n_best": 4, "semantics": "ct2"},
    "ratio": {"beam_size": 4, "n_best": 2, "max_length_ratio": 1.0, "max_length_margin": 2},  # limits of their own
}


@pytest.mark.parametrize("rules", RULES)
def test_the_best_tokens_alone_find_what_whole_rows_find(rules: str) -> None:
    decoder, memory = decoder_of(tie_embeddings=False), memory_of()
    options = SearchOptions(**{"max_length": 11, "attention": True, **RULES[rules]})
    found = search(native_step(decoder, memory), options=options, source_lengths=LENGTHS)
    exact = replace(options, numerics="reference")
    assert_same(found, search(decoder.step, decoder.init_state(memory, len(LENGTHS)), exact, source_lengths=LENGTHS))
    for own in found:
        for hypothesis in own:
            assert hypothesis.log_prob == pytest.approx(sum(hypothesis.token_log_probs), abs=1e-5)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05), ("int8", 0.2)])
def test_with_matrices_of_many_panels(precision: Precision, tolerance: float) -> None:
    torch.manual_seed(0)
    config = TransformerDecoderConfig(size=144, layers=2, heads=3, feed_forward_size=300, positions="rotary")
    decoder = TransformerDecoder(config, TargetSpec(1003), MemorySpec(70)).eval()
    lengths = [9, 17, 1, 4, 30]
    mask = lengths_mask(lengths)
    memory = Memory(torch.randn(*mask.shape, 70), mask)
    targets = torch.randint(4, 1003, (len(lengths), 12))
    native = decoder.native(precision)
    assert native is not None

    def forced(step: Any, state: Any = None) -> Tensor:
        """The log-probabilities [T, B, V] of a search that writes ``targets``."""
        seen: list[Tensor] = []

        def force(scores: Tensor, tokens: Tensor, state: Any) -> ProcessorOutput:
            seen.append(scores[:, 0].clone())
            chosen = targets[:, tokens.shape[2] - 1].view(-1, 1, 1)
            return ProcessorOutput(scores=torch.full_like(scores, -torch.inf).scatter(2, chosen, 0.0))

        options = SearchOptions(beam_size=1, max_length=12, eos_ids=())
        search(step, state, options, batch_size=len(lengths), processors=[force])
        return torch.stack(seen)

    own = forced(native.begin(memory, len(lengths)))
    expected = forced(decoder.step, decoder.init_state(memory, len(lengths)))
    assert own.shape == (12, len(lengths), 1003)
    torch.testing.assert_close(own, expected, atol=tolerance, rtol=0)

    options = SearchOptions(beam_size=5, n_best=5, max_length=20, min_length=3)
    found = search(native.begin(memory, len(lengths)), options=options, source_lengths=lengths)
    whole_rows = replace(options, numerics="reference")
    assert_same(found, search(native.begin(memory, len(lengths)), options=whole_rows, source_lengths=lengths))


def test_no_row_of_scores_is_made() -> None:
    decoder, memory = decoder_of(), memory_of()
    with torch.no_grad():
        decoder.embedding = ScaledEmbedding(5000, 8, 0, 1.0)
        decoder.output_bias = torch.nn.Parameter(torch.zeros(5000))
    step = native_step(decoder.eval(), memory)

    def largest(numerics: Numerics) -> int:
        """The most bytes that torch gave at a time."""
        options = SearchOptions(beam_size=4, max_length=6, numerics=numerics)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            search(step, options=options, batch_size=len(LENGTHS))
        assert profile.profiler is not None
        events = profile.profiler.kineto_results.events()
        return max(event.nbytes() for event in events if event.name() == "[memory]")

    assert largest("reference") >= 4 * 5000 * 4
    assert largest("fast") < 4 * 5000


def test_a_step_may_be_searched_again_and_by_several_threads() -> None:
    decoder, memory = decoder_of(), memory_of()
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


def test_processors_constraints_and_ensembles_take_whole_rows() -> None:
    decoder, other, memory = decoder_of(), decoder_of(positions="rotary"), memory_of()
    batch = len(LENGTHS)
    options = SearchOptions(beam_size=3, n_best=3, max_length=9, no_repeat_ngram=2, min_length=3)
    sentences = [SentenceInput(constraints=[[(5, 6)]], key=i) for i in range(batch)]
    found = search(native_step(decoder, memory), options=options, sentences=sentences)
    assert_same(found, search(decoder.step, decoder.init_state(memory, batch), options, sentences=sentences))

    def members(native: bool) -> list[Member]:
        if native:
            return [Member(native_step(decoder, memory)), Member(other.step, other.init_state(memory, batch), 2.0)]
        return [Member(d.step, d.init_state(memory, batch), w) for d, w in ((decoder, 1.0), (other, 2.0))]

    found = search(Ensemble(members(True)), options=options, batch_size=batch)
    assert_same(found, search(Ensemble(members(False)), options=options, batch_size=batch))


def test_it_sees_every_change_of_the_weights() -> None:
    decoder, memory = decoder_of(), memory_of()
    options = SearchOptions(beam_size=2, max_length=9)

    def both() -> tuple[list[list[Hypothesis]], list[list[Hypothesis]]]:
        state = decoder.init_state(memory, len(LENGTHS))
        return search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS)), search(
            decoder.step, state, options
        )

    first, _ = both()
    native = decoder.native()
    assert native is not None and decoder.native().weights is native.weights  # packed once
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
    decoder.layers[0].feed_forward.hidden = copy.deepcopy(decoder.layers[1].feed_forward.hidden)
    assert_same(*both())
    assert pickle.loads(pickle.dumps(decoder)).native() is not None


class Louder(TransformerDecoder):
    """A subclass whose step is another."""

    def step(self, tokens: Tensor, position: Tensor, state: Any) -> Any:
        output = super().step(tokens, position, state)
        output.scores = output.scores * 2
        return output


def test_it_is_offered_only_where_it_is_the_same_function() -> None:
    for options in ({"autoregressive": "average"}, {"autoregressive": "ssru"}, {"attention": "bahdanau"}):
        assert tiny_decoder(**options).native() is None
    decoder = decoder_of()
    assert native_decoder(decoder) is not None
    decoder.__class__ = Louder
    assert native_decoder(decoder) is None
    decoder.__class__ = TransformerDecoder
    decoder.layers[0].register_forward_hook(lambda *_: None)
    assert native_decoder(decoder) is None
    assert native_decoder(decoder_of().double()) is None
    own = decoder_of()
    own.step = own.step  # type: ignore[method-assign]
    assert native_decoder(own) is None


def test_mistakes_get_a_sentence() -> None:
    decoder, memory = decoder_of(positions="learned", max_positions=3), memory_of()
    batch = len(LENGTHS)
    longer = SearchOptions(beam_size=1, max_length=9, min_length=9)
    with pytest.raises(UserError, match="up to 3 tokens, and here is one of 4"):
        search(native_step(decoder, memory), options=longer, batch_size=batch)
    with pytest.raises(SearchError, match="memory has 6 sentences, the search 2"):
        search(native_step(decoder, memory), options=longer, batch_size=2)
    with pytest.raises(SearchError, match="fed token 99"):
        search(native_step(decoder, memory), options=SearchOptions(bos_id=99), batch_size=batch)
    with pytest.raises(SearchError, match="is given no memory"):
        native_step(decoder, None)
    with pytest.raises(SearchError, match="give no state"):
        search(native_step(decoder, memory), decoder.init_state(memory, batch))
    memory.states[1, 0, 0] = torch.nan
    with pytest.raises(SearchError, match=r"sentence 1, step 0.*NaN"):
        search(native_step(decoder, memory), options=longer, batch_size=batch)
