"""Packed matrices as Python sees them: torch's products on every instruction set, and sentences for what cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from seq2seq_kit._engine._native import PackedMatrix, isas, use_isa
from seq2seq_kit.errors import SearchError

TOLERANCE = {"fp32": 1e-5, "bf16": 0.03, "int8": 0.05}
"""Of the products of normal numbers, 33 a sum."""


@pytest.fixture(params=isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    use_isa(request.param)
    yield request.param
    use_isa(isas()[-1])


@pytest.mark.parametrize("precision", TOLERANCE)
def test_products_are_those_of_torch_on_every_instruction_set(isa: str, precision: str) -> None:
    torch.manual_seed(1)
    weight, bias, x = torch.randn(70, 33) / 33**0.5, torch.randn(70), torch.randn(9, 33)
    matrix = PackedMatrix(weight, bias, precision)
    found, expected = matrix.multiply(x), torch.nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE[precision])
    scores, tokens, sums = matrix.multiply_top(x, 70)
    assert torch.equal(scores, found.gather(1, tokens)) and torch.equal(scores, found.sort(1, descending=True)[0])
    torch.testing.assert_close(sums, found.logsumexp(1))


def test_smaller_precisions_take_less_memory() -> None:
    fp32, bf16, int8 = (PackedMatrix(torch.randn(256, 512), None, precision).bytes for precision in TOLERANCE)
    assert fp32 > 1.9 * bf16 > 3.6 * int8


def test_what_cannot_be_is_said() -> None:
    matrix = PackedMatrix(torch.randn(4, 3), None, "fp32")
    assert matrix.multiply(torch.zeros(0, 3)).shape == (0, 4)
    for x in (torch.zeros(2, 4), torch.zeros(3), torch.zeros(2, 3, dtype=torch.float64)):
        with pytest.raises(SearchError, match=r"float32 on the CPU of shape \[rows, 3\]"):
            matrix.multiply(x)
    with pytest.raises(SearchError, match="count is 5, and there are 4 outputs"):
        matrix.multiply_top(torch.zeros(2, 3), 5)
    with pytest.raises(SearchError, match="no instruction set 'sse'"):
        use_isa("sse")
    with pytest.raises(SearchError, match="must be 'fp32', 'bf16' or 'int8'"):
        PackedMatrix(torch.randn(4, 3), None, "int4")
