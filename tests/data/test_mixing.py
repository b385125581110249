"""Mixing corpora: the shares that were asked for, every example equally often, the same whenever asked."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.data.mixing import Mixture, shares


def test_weights_are_shares_whatever_the_sizes() -> None:
    assert shares([100, 5], [3, 1], 1.0).tolist() == [0.75, 0.25]


def test_temperature_evens_sizes_out() -> None:
    assert shares([900, 100], None, 1.0).tolist() == pytest.approx([0.9, 0.1])
    assert shares([900, 100], None, 2.0).tolist() == pytest.approx([0.75, 0.25])  # 30 : 10
    assert shares([900, 100], None, 1e9).tolist() == pytest.approx([0.5, 0.5])


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 10)), min_size=1, max_size=4), st.integers(0, 3))
def test_an_epoch_has_as_many_examples_as_all_corpora(corpora: list[tuple[int, float]], epoch: int) -> None:
    counts, weights = zip(*corpora, strict=True)
    wanted = shares(counts, weights, 1.0)
    mixture = Mixture(counts, wanted, 7)
    assert sum(mixture.dealt) == sum(counts)
    assert np.abs(np.array(mixture.dealt) - wanted * sum(counts)).max() < 1
    drawn = mixture(epoch)
    corpus = np.searchsorted(np.cumsum(counts), drawn, side="right")
    assert np.bincount(corpus, minlength=len(counts)).tolist() == mixture.dealt


def test_every_example_of_a_corpus_is_used_equally_often() -> None:
    """A share of 3 in 7 examples: in seven epochs each comes three times; one of 11 in 7: each eleven times."""
    mixture = Mixture([7, 7], [3 / 14, 11 / 14], 1)
    seen = Counter(i for epoch in range(7) for i in mixture(epoch).tolist())
    assert {seen[i] for i in range(7)} == {3} and {seen[i] for i in range(7, 14)} == {11}


def test_an_epoch_does_not_depend_on_those_before_it() -> None:
    first, again = (Mixture([20, 30], [0.5, 0.5], 3) for _ in range(2))
    epochs = [first(epoch).tolist() for epoch in range(4)]
    assert again(3).tolist() == epochs[3] != epochs[2]
    assert Mixture([20, 30], [0.5, 0.5], 4)(3).tolist() != epochs[3]
