"""Random searches for the property tests."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from hypothesis import strategies as st
from table_step import TableStep

from seq2seq_kit.decoding.inputs import Automaton, SentenceInput, TokenSequence
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.testing.reference.common import length_limit


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


def sequences(vocab: int, least: int = 1, most: int = 2) -> st.SearchStrategy[TokenSequence]:
    """Token sequences; short and of few tokens, so that they are met."""
    return st.lists(st.integers(0, min(vocab, 6) - 1), min_size=least, max_size=most).map(tuple)


@st.composite
def blocking_options(draw: st.DrawFn, options: SearchOptions, vocab: int) -> SearchOptions:
    """``options`` with a few of those that block or bias tokens: few, so that one does not hide another."""
    tokens = sequences(vocab, 1, 4)
    phrases = st.lists(sequences(vocab, 2 if draw(st.booleans()) else 1), min_size=1, max_size=6)
    bias = st.sampled_from([-math.inf, -3.0, -0.3, 0.7, 2.0])
    last = st.sampled_from(options.eos_ids) if options.eos_ids else st.integers(0, vocab - 1)
    size = st.integers(1, 3)
    parts: dict[str, dict[str, st.SearchStrategy]] = {
        "new tokens": {"min_new_tokens": st.integers(0, 4), "max_new_tokens": st.integers(0, 6)},
        "unknown": {"unk_id": st.integers(0, vocab - 1), "unk_penalty": st.sampled_from([0.4, math.inf])},
        "bias": {"sequence_bias": st.lists(st.tuples(sequences(vocab), bias), min_size=1, max_size=6).map(tuple)},
        "source repetition": {"repetition_penalty_source": st.sampled_from([0.7, 1.9])},
        "repetition": {"repetition_penalty": st.sampled_from([0.6, 1.3])},
        "n-grams": {"no_repeat_ngram": size, "no_repeat_ngram_except": st.one_of(st.just(()), tokens)},
        "source n-grams": {"no_repeat_ngram_source": size},
        "bad words": {"bad_words": phrases.map(tuple)},
        "first": {"forced_first": st.integers(0, vocab - 1)},
        "last": {"forced_last": last},
        "decay": {"length_decay_start": st.integers(0, 3), "length_decay_factor": st.sampled_from([0.8, 1.1, 1.7])},
        "suppress": {"suppress": tokens},
        "suppress at start": {"suppress_at_start": tokens},
        "favoured prefix": {"prefix_bias": st.sampled_from([0.2, 0.9])},
    }
    chosen = draw(st.lists(st.sampled_from(list(parts)), max_size=4, unique=True))
    values = {field: draw(value) for part in chosen for field, value in parts[part].items()}
    return replace(options, **values)


@st.composite
def automata(draw: st.DrawFn, vocab: int) -> Automaton:
    states = draw(st.integers(1, 4))
    state, token = st.integers(0, states - 1), st.integers(0, min(vocab, 6) - 1)
    arcs = draw(st.lists(st.dictionaries(token, state, max_size=6), min_size=states, max_size=states))
    return Automaton(arcs, frozenset(draw(st.sets(state))))


@st.composite
def sentence_inputs(draw: st.DrawFn, options: SearchOptions, vocab: int) -> SentenceInput:
    """What a search under ``options`` may be told about a sentence: source, banned phrases, automaton, prefix."""
    source = draw(sequences(vocab, 1, 12))
    rarely = st.sampled_from([False, False, True])
    sentence = SentenceInput(
        source_length=len(source),
        source=source,
        banned=draw(st.lists(sequences(vocab), max_size=3)) if draw(rarely) else [],
        automaton=draw(automata(vocab)) if draw(rarely) else None,
    )
    prefix = draw(sequences(vocab, 0, 4)) if draw(rarely) or options.prefix_bias else ()
    if not options.prefix_bias:
        prefix = _writable(prefix, options, sentence)
    return replace(sentence, prefix=prefix)


def _writable(prefix: TokenSequence, options: SearchOptions, sentence: SentenceInput) -> TokenSequence:
    """As much of the prefix as the search takes: up to an end symbol, the limit, or a token that has no arc."""
    limit = length_limit(replace(options, max_new_tokens=0), sentence)
    state, written = 0, 0
    for token in prefix:
        if token in options.eos_ids:
            written += 1  # EOS is not counted
            break
        arcs = {token: 0} if sentence.automaton is None else sentence.automaton.arcs[state]
        if written == limit or token not in arcs:
            break
        state = arcs[token]
        written += 1
    return prefix[:written]
