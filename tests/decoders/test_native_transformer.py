"""The engine's own Transformer stepper does what the decoder's Python step does, and depends on nothing else."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from native_steps import assert_every_step_is_the_python_step, assert_same, most_bytes_at_a_time, native_step
from tiny_transformers import (
    DECODER,
    name_of,
    one_at_a_time,
    tiny_decoder,
    together,
    transformer_decoder,
    transformer_memory,
)
from torch import Tensor

from seq2seq_kit.decoders.transformer import TransformerDecoder
from seq2seq_kit.decoding.ensemble import Ensemble, Member
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.decoding.stepper import native_decoder
from seq2seq_kit.errors import SearchError, UserError
from seq2seq_kit.layers.embedding import ScaledEmbedding

NATIVE = {name: values for name, values in DECODER.items() if name != "autoregressive"} | {
    "attention": [None, {"name": "multihead", "heads": 3, "size": 6}],
    "size": [8, 24],
    "heads": [2, 4],
}
"""The options that the native stepper has."""
LENGTHS = [5, 2, 0, 3, 7, 1]


@pytest.mark.parametrize("options", [{}, *one_at_a_time(NATIVE), *together(NATIVE, 40)], ids=name_of)
def test_every_step_is_the_python_step(options: dict[str, Any]) -> None:
    assert_every_step_is_the_python_step(transformer_decoder(**options), transformer_memory(LENGTHS))


@pytest.mark.parametrize("positions", NATIVE["positions"])
def test_without_a_memory(positions: str) -> None:
    decoder = transformer_decoder(None, positions=positions)
    options = SearchOptions(beam_size=3, n_best=3, max_length=9)
    found = search(native_step(decoder, None, 2), options=options, batch_size=2)
    assert_same(found, search(decoder.step, decoder.init_state(None, 2), options))
    assert found[0][0].attention is None


@pytest.mark.parametrize(
    "lengths", [[5, 2, 0, 3, 7, 1] * 6, [40], [25, 40]], ids=["rows shared out", "products", "heads"]
)
def test_what_threads_share_changes_no_bit(lengths: list[int]) -> None:
    """Many rows are shared out; of few, the products and the heads of attention."""
    decoder = transformer_decoder(size=64, heads=4, feed_forward_size=1100)
    options = SearchOptions(beam_size=4, n_best=4, max_length=25, min_length=25, attention=len(lengths) == 1)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            step = native_step(decoder, transformer_memory(lengths))
            found.append(search(step, options=options, batch_size=len(lengths)))
        for other in found[1:]:
            assert [[replace(h, attention=None) for h in own] for own in other] == [
                [replace(h, attention=None) for h in own] for own in found[0]
            ]
            for one, another in zip(other[0], found[0][0], strict=True):
                assert one.attention is another.attention or torch.equal(one.attention, another.attention)
    finally:
        torch.set_num_threads(threads)


def test_no_row_of_scores_is_made() -> None:
    decoder, memory = transformer_decoder(), transformer_memory(LENGTHS)
    with torch.no_grad():
        decoder.embedding = ScaledEmbedding(5000, 8, 0, 1.0)
        decoder.output_bias = torch.nn.Parameter(torch.zeros(5000))
    step = native_step(decoder.eval(), memory)
    assert most_bytes_at_a_time(step, len(LENGTHS), "reference") >= 4 * 5000 * 4
    for rules in ({}, {"semantics": "ct2"}, {"semantics": "hf"}, {"semantics": "hf", "beam_size": 1}):
        assert most_bytes_at_a_time(step, len(LENGTHS), "fast", **rules) < 4 * 5000, rules


def test_processors_constraints_and_ensembles_take_whole_rows() -> None:
    decoder, other, memory = transformer_decoder(), transformer_decoder(positions="rotary"), transformer_memory(LENGTHS)
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


def test_it_sees_a_layer_in_the_place_of_another() -> None:
    decoder, memory = transformer_decoder(), transformer_memory(LENGTHS)
    options = SearchOptions(beam_size=2, max_length=9)
    first = search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS))
    decoder.layers[0].feed_forward.hidden = copy.deepcopy(decoder.layers[1].feed_forward.hidden)
    found = search(native_step(decoder, memory), options=options, batch_size=len(LENGTHS))
    assert_same(found, search(decoder.step, decoder.init_state(memory, len(LENGTHS)), options))
    assert found != first


class Louder(TransformerDecoder):
    """A subclass whose step is another."""

    def step(self, tokens: Tensor, position: Tensor, state: Any) -> Any:
        output = super().step(tokens, position, state)
        output.scores = output.scores * 2
        return output


def test_it_is_offered_only_where_it_is_the_same_function() -> None:
    for options in ({"autoregressive": "average"}, {"autoregressive": "ssru"}, {"attention": "bahdanau"}):
        assert tiny_decoder(**options).native() is None
    decoder = transformer_decoder()
    assert native_decoder(decoder) is not None
    decoder.__class__ = Louder
    assert native_decoder(decoder) is None
    decoder.__class__ = TransformerDecoder
    decoder.layers[0].register_forward_hook(lambda *_: None)
    assert native_decoder(decoder) is None
    assert native_decoder(transformer_decoder().double()) is None
    own = transformer_decoder()
    own.step = own.step  # type: ignore[method-assign]
    assert native_decoder(own) is None


def test_mistakes_get_a_sentence() -> None:
    decoder, memory = transformer_decoder(positions="learned", max_positions=3), transformer_memory(LENGTHS)
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
