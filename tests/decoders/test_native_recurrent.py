"""The engine's own recurrent stepper does what the decoders' Python step does, and depends on nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from native_steps import assert_every_step_is_the_python_step, assert_same, most_bytes_at_a_time, native_step
from tiny_recurrent import recurrent_decoder, recurrent_memory, recurrent_options
from tiny_transformers import name_of
from torch import Tensor, nn

from seq2seq_kit.attention.luong import LuongAttention
from seq2seq_kit.decoders.recurrent import LSTMDecoder
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.decoding.stepper import native_decoder
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import Memory

LENGTHS = [5, 2, 0, 3, 7, 1]


@pytest.mark.parametrize("options", recurrent_options(50), ids=name_of)
def test_every_step_is_the_python_step(options: dict[str, Any]) -> None:
    decoder, memory = recurrent_decoder(**options), recurrent_memory(LENGTHS, options.get("final", ("h", "c")))
    assert_every_step_is_the_python_step(decoder, memory)


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


def test_no_row_of_scores_is_made() -> None:
    decoder, memory = recurrent_decoder(), recurrent_memory(LENGTHS)
    decoder.output_layer = type(decoder.output_layer)(8, 5000).eval()  # type: ignore[misc]
    decoder.embedding = nn.Embedding(5000, 8)
    step = native_step(decoder, memory)
    assert most_bytes_at_a_time(step, len(LENGTHS), "reference") >= 4 * 5000 * 4
    assert most_bytes_at_a_time(step, len(LENGTHS), "fast") < 4 * 5000


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
