"""Automata of what an output may be: what they accept, and that searches write nothing else."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq_kit.decoding.constraints import repeated, trie, vocabulary
from seq2seq_kit.decoding.inputs import Automaton, SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import DecoderState

Words = set[tuple[int, ...]]

words = st.lists(st.integers(0, 3), max_size=4).map(tuple)
EOS = 4


def accepts(automaton: Automaton, word: tuple[int, ...]) -> bool:
    state = 0
    for token in word:
        if token not in automaton.arcs[state]:
            return False
        state = automaton.arcs[state][token]
    return state in automaton.accepting


def accepted(automaton: Automaton, longest: int) -> Words:
    every = itertools.chain.from_iterable(itertools.product(range(4), repeat=n) for n in range(longest + 1))
    return {word for word in every if accepts(automaton, word)}


def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
    return torch.linspace(1, 0, 5).expand(*tokens.shape, 5)


def outputs(automaton: Automaton, longest: int, prefix: tuple[int, ...] = ()) -> Words:
    """All that a search can write: it has a slot for everything."""
    options = SearchOptions(beam_size=2000, n_best=2000, max_length=longest, eos_ids=(EOS,))
    found = search(step, options=options, sentences=[SentenceInput(automaton=automaton, prefix=prefix)])[0]
    assert all(hypothesis.tokens[-1] == EOS for hypothesis in found)
    return {tuple(hypothesis.tokens[:-1]) for hypothesis in found}


@settings(max_examples=50, deadline=None)
@given(st.sets(words, min_size=1, max_size=8))
def test_a_trie_accepts_its_words(given_words: Words) -> None:
    automaton = trie(given_words)
    assert accepted(automaton, 5) == given_words
    assert outputs(automaton, 5) == given_words


def test_a_prefix_is_part_of_the_output() -> None:
    automaton = trie([(0, 1), (0, 2, 3), (1,)])
    assert outputs(automaton, 5, prefix=(0,)) == {(0, 1), (0, 2, 3)}


def test_a_vocabulary_accepts_its_tokens() -> None:
    expected = {word for n in range(5) for word in itertools.product((0, 2), repeat=n)}
    assert accepted(vocabulary([2, 0]), 4) == outputs(vocabulary([2, 0]), 4) == expected


@settings(max_examples=50, deadline=None)
@given(st.sets(st.lists(st.integers(0, 2), min_size=1, max_size=2).map(tuple), min_size=1, max_size=4))
def test_repeated_words_with_a_separator(given_words: Words) -> None:
    texts, longer = set(given_words), set(given_words)
    while longer:
        longer = {(*text, 3, *word) for text in longer for word in given_words if len(text) + len(word) < 5}
        texts |= longer
    automaton = repeated(trie(given_words), separator=3)
    assert accepted(automaton, 5) == outputs(automaton, 5) == texts


def test_repeated_words_without_a_separator() -> None:
    automaton = repeated(trie([(0, 1), (2,)]))
    expected = {(2,), (0, 1), (2, 2), (0, 1, 2), (2, 0, 1), (2, 2, 2)}
    assert accepted(automaton, 3) == outputs(automaton, 3) == expected


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="no outputs"):
        trie([])
    with pytest.raises(UserError, match="no tokens"):
        vocabulary([])
    with pytest.raises(UserError, match="may be empty"):
        repeated(trie([(), (1,)]))
    with pytest.raises(UserError, match="token 1 may continue an accepted output or begin the next"):
        repeated(trie([(1,), (1, 1)]))
