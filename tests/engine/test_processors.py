"""Options that block or bias tokens: the engine equals the reference bit for bit, whatever the batch."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps

from seq2seq_kit.decoding.search import search
from seq2seq_kit.testing.reference_search import reference_search


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_engine_equals_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps(max_vocab=20))
    batch, _, vocab = step.table.shape
    options = data.draw(blocking_options(replace(data.draw(search_options(vocab)), attention=False), vocab))
    sentences = [data.draw(sentence_inputs(options, vocab)) for _ in range(batch)]
    found = search(
        step,
        step.state(),
        options,
        sentences=sentences,
        _select_on_device=data.draw(st.booleans(), "select on device"),
        _shrink=data.draw(st.booleans(), "shrink"),
    )
    for b, sentence in enumerate(sentences):
        assert found[b] == reference_search(step.scores(b), options, sentence, kind=step.kind)
