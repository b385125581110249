"""Dropout: how much it drops, what it keeps, and when it does nothing."""

from __future__ import annotations

import pytest
import torch

from seq2seq_kit.layers.dropout import Dropout, keep_mask


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_entries_are_dropped_apart_and_the_rest_keeps_the_mean(probability: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    mask = keep_mask(torch.empty(301, 203, dtype=dtype), probability).double()
    assert mask.unique().numel() == 2
    kept = mask > 0
    assert float(kept.double().mean()) == pytest.approx(1 - probability, abs=0.005)
    assert float(mask.max()) == pytest.approx(1 / (1 - probability), rel=0.01)
    for shift in (1, 2, 3, 4, 203):  # neighbours, also those that share a number
        both = (kept.flatten()[shift:] & kept.flatten()[:-shift]).double().mean()
        assert float(both) == pytest.approx((1 - probability) ** 2, abs=0.01)


def test_gradients_pass_where_entries_do() -> None:
    x = torch.ones(50, 7, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach()) and 0 < int((y == 0).sum()) < 350  # type: ignore[arg-type]


def test_it_follows_the_seed() -> None:
    x, found = torch.ones(100), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(Dropout(0.5)(x))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_nothing_is_done_in_eval_mode_or_without_a_probability() -> None:
    x = torch.ones(3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
