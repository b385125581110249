"""Attention in several heads is one function, whichever way it is computed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_kit.attention import functional
from seq2seq_kit.attention.functional import attend
from seq2seq_kit.layers.dropout import Dropout


def inputs(groups: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 4, 5, 8), torch.randn(2, groups, 5, 8), torch.randn(2, groups, 5, 8)


def biases() -> dict[str, Tensor | None]:
    padding = torch.zeros(2, 1, 1, 5)
    padding[1, ..., 3:] = -math.inf
    return {"none": None, "padding": padding, "heads": torch.randn(1, 4, 5, 5)}


@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("case", ["none", "padding", "heads", "causal"])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_both_ways_give_the_same(groups: int, case: str, scale: float | None, monkeypatch: Any) -> None:
    query, keys, values = inputs(groups)
    bias, causal = biases().get(case), case == "causal"
    found = []
    for fused in (True, False):
        monkeypatch.setattr(functional, "_fused_is_quicker", lambda *_, fused=fused: fused)
        found.append(attend(query, keys, values, bias, Dropout(0.0), causal=causal, scale=scale))
    torch.testing.assert_close(found[0], found[1])
    head = [(query[1, 3, t] @ keys[1, -1].T) * (scale or 8**-0.5) for t in range(5)]
    if case == "none":
        torch.testing.assert_close(found[0][1, 3, 2], head[2].softmax(0) @ values[1, -1])
    if case == "causal":
        torch.testing.assert_close(found[0][1, 3, 2], head[2][:3].softmax(0) @ values[1, -1, :3])


def test_weights_are_dropped_in_training() -> None:
    query, keys, values = inputs(4)
    dropout = Dropout(0.5)
    assert not torch.equal(*(attend(query, keys, values, None, dropout) for _ in range(2)))
    dropout.eval()
    torch.testing.assert_close(
        attend(query, keys, values, None, dropout), attend(query, keys, values, None, Dropout(0.0))
    )
