"""The engine's own recurrent stepper does what the decoders' Python step does, and depends on nothing else."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from native_steps import assert_same, most_bytes_at_a_time, native_step, record
from tiny_models import lengths_mask
from tiny_recurrent import recurrent_decoder, recurrent_memory, recurrent_options
from tiny_transformers import name_of
from torch import Tensor, nn

from seq2seq_kit.attention.luong import LuongAttention
from seq2seq_kit.decoders.recurrent import LSTMDecoder, LSTMDecoderConfig
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.decoding.stepper import native_decoder
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import Memory, MemorySpec, Precision, ProcessorOutput, TargetSpec

LENGTHS = [5, 2, 0, 3, 7, 1]


@pytest.mark.parametrize("options", recurrent_options(50), ids=name_of)
def test_every_step_is_the_python_step(options: dict[str, Any]) -> None:
    decoder, memory = recurrent_decoder(**options), recurrent_memory(LENGTHS, options.get("final", ("h", "c")))
    how = SearchOptions(beam_size=3, n_best=3, max_length=12, attention=True, numerics="reference")
    scores, found = record(native_step(decoder, memory), None, how, batch_size=len(LENGTHS))
    expected_scores, expected = record(decoder.step, decoder.init_state(memory, len(LENGTHS)), how)
    assert_same(found, expected)
    for seen, wanted in zip(scores, expected_scores, strict=False):
        torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)
    for own, other in zip(found, expected, strict=True):
        for one, two in zip(own, other, strict=True):
            assert (one.attention is None) == (two.attention is None)
            if one.tokens == two.tokens and one.attention is not None:
                torch.testing.assert_close(one.attention, two.attention, atol=1e-4, rtol=0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("has_encoder", [False, True])
def test_without_a_memory(cell: str, has_encoder: bool) -> None:
    decoder = recurrent_decoder(memory=has_encoder, cell=cell, attention={"name": "none"})
    options = SearchOptions(beam_size=3, n_best=3, max_length=9)
    found = search(native_step(decoder, None, 2), options=options, batch_size=2)
    assert_same(found, search(decoder.step, decoder.init_state(None, 2), options))
    assert found[0][0].attention is None


def test_a_language_model_takes_no_notice_of_a_memory() -> None:
    decoder = recurrent_decoder(memory=False, attention={"name": "none"})
    options = SearchOptions(beam_size=3, max_length=9)
    memory = recurrent_memory([3, 1])
    assert search(native_step(decoder, memory), options=options, batch_size=2) == search(
        native_step(decoder, None, 2), options=options, batch_size=2
    )


@pytest.mark.parametrize("size", [1, 3, 24])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "gru", "attention": {"name": "bahdanau"}, "query": "previous", "input_feeding": True, "size": 18},
        {"cell": "rnn", "attention": {"name": "multihead"}, "final": ()},
    ],
    ids=name_of,
)
def test_the_batch_changes_no_bit(options: dict[str, Any], size: int) -> None:
    decoder = recurrent_decoder(**options)
    assert decoder.output_layer is not None
    with torch.no_grad():  # sentences end at different lengths
        decoder.output_layer.bias[2] += 1.5
    lengths = [random.Random(i).randint(0, 9) for i in range(24)]
    whole = recurrent_memory(lengths, options.get("final", ("h", "c")))
    how = SearchOptions(beam_size=4, n_best=4, max_length=15, length_penalty=0.5, attention=True)
    expected = search(native_step(decoder, whole), options=how, source_lengths=lengths)
    assert len({len(sentence[0].tokens) for sentence in expected}) > 2  # the batch shrinks

    order = random.Random(size).sample(range(24), 24)
    for start in range(0, 24, size):
        chosen = order[start : start + size]
        part = whole.select(torch.tensor(chosen))
        width = max(lengths[i] for i in chosen)
        part = Memory(part.states[:, :width], part.mask[:, :width], part.final)
        found = search(native_step(decoder, part), options=how, source_lengths=[lengths[i] for i in chosen])
        for sentence, own in zip(chosen, found, strict=True):
            assert own == expected[sentence]
            for one, other in zip(own, expected[sentence], strict=True):
                assert one.attention is not None and other.attention is not None
                assert torch.equal(one.attention[:, : lengths[sentence]], other.attention[:, : lengths[sentence]])


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.05), ("int8", 0.2)])
@pytest.mark.parametrize("score", ["general", "concat"])
def test_with_matrices_of_many_panels(score: str, precision: Precision, tolerance: float) -> None:
    torch.manual_seed(0)
    config = LSTMDecoderConfig(embedding_size=70, size=144, layers=2, attention={"name": "luong", "score": score})
    decoder = LSTMDecoder(config, TargetSpec(1003), MemorySpec(90, {"h": (1, 90)})).eval()
    lengths = [9, 17, 1, 4, 30]
    mask = lengths_mask(lengths)
    memory = Memory(torch.randn(*mask.shape, 90), mask, {"h": torch.randn(5, 1, 90)})
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
    decoder, memory = recurrent_decoder(), recurrent_memory(LENGTHS)
    decoder.output_layer = type(decoder.output_layer)(8, 5000).eval()  # type: ignore[misc]
    decoder.embedding = nn.Embedding(5000, 8)
    step = native_step(decoder, memory)
    assert most_bytes_at_a_time(step, len(LENGTHS), "reference") >= 4 * 5000 * 4
    assert most_bytes_at_a_time(step, len(LENGTHS), "fast") < 4 * 5000


def test_it_sees_every_change_of_the_weights() -> None:
    decoder, memory = recurrent_decoder(), recurrent_memory(LENGTHS)
    options = SearchOptions(beam_size=2, max_length=9)

    def both() -> Any:
        state = decoder.init_state(memory, len(LENGTHS))
        return search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS)), search(
            decoder.step, state, options
        )

    first, _ = both()
    native = decoder.native()
    assert native is not None and decoder.native().weights is native.weights  # type: ignore[union-attr]
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


class SharperAttention(LuongAttention):
    """An attention of somebody else."""

    def forward(self, query: Tensor, projected: Any, state: Any) -> Any:
        return super().forward(query * 2, projected, state)


class OwnGates(LSTMDecoder):
    """A decoder of somebody else."""

    gates = staticmethod(lambda x, h, past: (x[..., :8], past[1]))


def test_it_is_offered_only_where_it_is_the_same_function() -> None:
    decoder = recurrent_decoder()
    assert native_decoder(decoder) is not None
    decoder.attention.__class__ = SharperAttention
    assert native_decoder(decoder) is None
    decoder.attention.__class__ = LuongAttention
    decoder.__class__ = OwnGates
    assert native_decoder(decoder) is None
    decoder.__class__ = LSTMDecoder
    decoder.attention.register_forward_hook(lambda *_: None)
    assert native_decoder(decoder) is None
    assert native_decoder(recurrent_decoder().double()) is None
    own = recurrent_decoder()
    own.step = own.step  # type: ignore[method-assign]
    assert native_decoder(own) is None


def test_mistakes_get_a_sentence() -> None:
    decoder, memory = recurrent_decoder(), recurrent_memory(LENGTHS)
    options = SearchOptions(beam_size=1, max_length=9)
    with pytest.raises(SearchError, match="memory has 6 sentences, the search 2"):
        search(native_step(decoder, memory), options=options, batch_size=2)
    with pytest.raises(SearchError, match="fed token 99: it knows 11"):
        search(native_step(decoder, memory), options=SearchOptions(bos_id=99), batch_size=len(LENGTHS))
    with pytest.raises(SearchError, match="is given no memory"):
        native_step(decoder, None)
    with pytest.raises(SearchError, match=r"states have shape \[6, 7, 3\], expected \[B, S, 8\]"):
        native_step(decoder, Memory(memory.states[..., :3], memory.mask, memory.final))
    with pytest.raises(SearchError, match="begins with the memory's final state 'h', and the memory has none"):
        native_step(decoder, Memory(memory.states, memory.mask))
    with pytest.raises(SearchError, match=r"final state 'c' has shape \[6, 2, 3\], expected \[6, layers, 8\]"):
        native_step(decoder, Memory(memory.states, memory.mask, {**memory.final, "c": memory.final["c"][..., :3]}))
    memory.states[1, 0, 0] = torch.nan
    with pytest.raises(SearchError, match=r"sentence 1, step 0.*NaN"):
        search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS))
