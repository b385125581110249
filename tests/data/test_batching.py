"""Batches: bounded, of like length, and the same whenever they are asked for."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.data.batching import TokenBatches


def plain(batches: TokenBatches, epoch: int) -> list[list[int]]:
    """The batches of an epoch as lists."""
    return [batch.tolist() for batch in batches.batches(epoch)]


LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), max_size=200)


@given(LENGTHS, st.integers(1, 300), st.integers(0, 5), st.integers(0, 5))
def test_every_example_once_and_no_batch_too_large(
    lengths: list[tuple[int, int]], batch_tokens: int, seed: int, epoch: int
) -> None:
    batches = plain(TokenBatches(lengths, batch_tokens, seed), epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(max(lengths[i]) for i in batch)
        assert padded <= batch_tokens or len(batch) == 1  # one that is too long stands alone


def some_lengths(count: int = 3000) -> list[tuple[int, int]]:
    draw = random.Random(1)
    return [(n := draw.randint(1, 40), max(1, n + draw.randint(-4, 6))) for _ in range(count)]


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = some_lengths()
    batches = TokenBatches(lengths, 512, 7)
    later = plain(batches, 3)
    assert later != plain(batches, 4)
    assert later != plain(TokenBatches(lengths, 512, 8), 3)
    # A resumed training asks a new object for epoch 3 without having had epochs 0 to 2.
    assert later == plain(TokenBatches(lengths, 512, 7), 3)


def test_batches_are_found_by_number_as_in_turn() -> None:
    batches = TokenBatches(some_lengths(), 512, 7).batches(0)
    assert [batches[i].tolist() for i in range(len(batches))] == [batch.tolist() for batch in batches]


def test_epochs_mix_what_shares_a_batch() -> None:
    batches = TokenBatches(some_lengths(), 512, 7)
    first, second = ({frozenset(batch) for batch in plain(batches, epoch)} for epoch in (0, 1))
    assert len(first & second) < len(first) / 10


def test_batches_are_not_in_order_of_length() -> None:
    lengths = some_lengths()
    longest = [max(max(lengths[i]) for i in batch) for batch in TokenBatches(lengths, 512, 0).batches(0)]
    rises = sum(a < b for a, b in pairwise(longest))
    assert 0.3 < rises / len(longest) < 0.7


def test_little_is_padding() -> None:
    lengths = some_lengths()
    batches = TokenBatches(lengths, 1024, 0).batches(0)
    padded = sum(len(batch) * max(lengths[i][side] for i in batch) for batch in batches for side in (0, 1))
    assert padded < 1.25 * sum(source + target for source, target in lengths)


def test_batches_are_as_large_as_they_may_be() -> None:
    lengths = [(10, 10)] * 1000
    assert sorted(map(len, TokenBatches(lengths, 105, 0).batches(0))) == [10] * 100


def test_an_epoch_may_be_some_of_the_examples_and_some_twice() -> None:
    draws = {0: [0, 1, 2, 2], 1: [3, 3, 3]}
    batches = TokenBatches([(5, 5)] * 4, 10, 0, lambda epoch: np.array(draws[epoch]))
    for epoch, drawn in draws.items():
        assert sorted(i for batch in plain(batches, epoch) for i in batch) == drawn
