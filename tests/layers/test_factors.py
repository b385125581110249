"""Factors of the source: added or put beside the tokens, and what is said where they are missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_batch
from tiny_transformers import tiny_encoder

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch
from seq2seq_kit.testing import check_encoder

ADDED = {"tag": {"vocab_size": 5}}
BESIDE = {"tag": {"vocab_size": 5, "size": 3}}
BOTH = {"tag": {"vocab_size": 5}, "case": {"vocab_size": 3, "size": 2}}


def batch() -> Batch:
    tokens = tiny_batch((6, 3, 1))
    ids = {"tag": torch.randint(5, tokens.source.shape), "case": torch.randint(3, tokens.source.shape)}
    return replace(tokens, extras={name: x.masked_fill(~tokens.source_mask, 0) for name, x in ids.items()})


@pytest.mark.parametrize("factors", [ADDED, BESIDE, BOTH])
@torch.no_grad()
def test_factors_are_read_and_their_padding_is_not(factors: dict[str, Any]) -> None:
    encoder, given = tiny_encoder(factors=factors), batch()
    check_encoder(encoder, given)
    expected = encoder(given).states
    for name in factors:
        other = replace(given, extras={**given.extras, name: (given.extras[name] + 1) % 3})
        assert not torch.allclose(encoder(other).states, expected)


@torch.no_grad()
def test_added_and_concatenated_embeddings() -> None:
    given = batch()
    tokens, tags = given.source, given.extras["tag"]
    added: Any = tiny_encoder(factors=ADDED)
    embedded = added.embedding(tokens)
    tag = 8**0.5 * added.factors.embeddings["tag"].weight[tags]
    torch.testing.assert_close(added.factors(embedded, given.extras), embedded + tag)
    beside: Any = tiny_encoder(factors=BESIDE)
    tag = 8**0.5 * beside.factors.embeddings["tag"].weight[tags]
    expected = beside.factors.project(torch.cat([embedded, tag], -1))
    torch.testing.assert_close(beside.factors(embedded, given.extras), expected)


def test_a_factor_that_the_task_does_not_give_or_that_is_too_large_gets_a_sentence() -> None:
    encoder = tiny_encoder(factors=ADDED)
    with pytest.raises(UserError, match=r"reads a factor 'tag', and the task gives no such extras \(none\)"):
        encoder(tiny_batch())
    given = batch()
    given.extras["tag"][0, 0] = 7
    with pytest.raises(UserError, match="factor 'tag' has the id 7: raise its vocab_size"):
        encoder(given)
