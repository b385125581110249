"""Random searches for the property tests."""

from __future__ import annotations

import math

import torch
from hypothesis import strategies as st
from table_step import TableStep

from seq2seq_kit.decoding.options import SearchOptions


@st.composite
def table_steps(draw: st.DrawFn, max_vocab: int = 70, max_batch: int = 4) -> TableStep:
    """Tables with ties (few distinct values), with -inf, of logits or of log-probabilities."""
    batch, vocab = draw(st.integers(1, max_batch)), draw(st.integers(1, max_vocab))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    table = torch.randn(batch, draw(st.sampled_from([1, 7, 97])), vocab, generator=generator) * 3
    if draw(st.booleans()):
        table = table.round()  # many ties
    if draw(st.booleans()):
        table[torch.rand(table.shape, generator=generator) < draw(st.sampled_from([0.1, 0.5, 0.95]))] = -math.inf
    kind = draw(st.sampled_from(["logits", "log_probs"]))
    if kind == "log_probs":
        table = -table.abs()
    return TableStep(table, kind)


@st.composite
def search_options(draw: st.DrawFn, vocab: int, numerics: str = "reference") -> SearchOptions:
    beam_size, max_length = draw(st.integers(1, 8)), draw(st.integers(1, 9))
    return SearchOptions(
        beam_size=beam_size,
        n_best=draw(st.integers(1, beam_size)),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0, 2.0])),
        length_penalty_offset=draw(st.sampled_from([0.0, 5.0])),
        word_penalty=draw(st.sampled_from([0.0, 0.5, -0.5])),
        brevity_penalty=draw(st.sampled_from([0.0, 2.0])),
        brevity_ratio=draw(st.sampled_from([1.0, 0.7])),
        temperature=draw(st.sampled_from([1.0, 1.0, 0.7, 1.9])),
        min_length=draw(st.integers(0, max_length)),
        max_length=max_length,
        max_length_ratio=draw(st.sampled_from([0.0, 0.5, 1.3])),
        max_length_margin=draw(st.integers(0, 3)),
        bos_id=0,
        eos_ids=tuple(draw(st.lists(st.integers(0, vocab - 1), max_size=3, unique=True))),
        numerics=numerics,
        attention=draw(st.booleans()),
    )
