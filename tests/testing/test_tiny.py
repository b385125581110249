"""The tiny batch of the tests of plugins."""

from __future__ import annotations

import pytest
import torch

from seq2seq_kit import SourceSpec, TargetSpec, UserError
from seq2seq_kit.testing import tiny_batch


def test_it_holds_sentences_of_the_lengths_asked_for() -> None:
    batch = tiny_batch(SourceSpec(vocab_size=7), TargetSpec(9), lengths=(3, 0, 2), target_length=4)
    assert batch.source_mask.sum(1).tolist() == [3, 0, 2] and batch.source.shape == (3, 3)
    assert not batch.source[~batch.source_mask].any() and batch.source[batch.source_mask].min() >= 4
    assert batch.target is not None and batch.target.shape == (3, 4) and batch.target[:, -1].tolist() == [2, 2, 2]
    assert batch.target_mask is not None and batch.target_mask.all() and len(batch) == len(batch.ids) == 3
    assert tiny_batch().target is None


def test_it_is_the_same_for_the_same_seed_and_draws_nothing_from_the_callers_generator() -> None:
    before = torch.get_rng_state()
    assert torch.equal(tiny_batch(seed=3).source, tiny_batch(seed=3).source)
    assert not torch.equal(tiny_batch(seed=3).source, tiny_batch(seed=4).source)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_has_frames_where_the_source_is_continuous() -> None:
    batch = tiny_batch(SourceSpec(feature_size=5))
    assert batch.source.shape == (4, 6, 5) and not batch.source[~batch.source_mask].any()


def test_impossible_sizes_get_a_sentence() -> None:
    for arguments in ({"lengths": ()}, {"lengths": (2, -1)}, {"target_length": 0}):
        with pytest.raises(UserError, match="a batch has one sentence or more"):
            tiny_batch(**arguments)
