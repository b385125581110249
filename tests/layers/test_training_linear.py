"""The linear layer of training is torch's, faster."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seq2seq_kit.layers import training_linear as module
from seq2seq_kit.layers.packed_weights import PackedLinear
from seq2seq_kit.layers.training_linear import training_linear


def _gradients(linear: object, inputs: list[Tensor]) -> list[Tensor]:
    y = linear(*inputs)  # type: ignore[operator]
    return [y, *torch.autograd.grad((y * y.detach().cos()).sum(), [x for x in inputs if x.requires_grad])]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(512, 128), (8, 64, 128), (2, 4, 64, 128)])
def test_it_computes_what_torch_does(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, requires_grad=True)
    inputs = [x, nn.Parameter(torch.randn(300, 128)), *([nn.Parameter(torch.randn(300))] if bias else [])]
    assert module._serves(*inputs[:2])
    for ours, theirs in zip(_gradients(training_linear, inputs), _gradients(F.linear, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-3)


def test_what_needs_no_gradient_gets_none() -> None:
    x, weight = torch.randn(512, 128), nn.Parameter(torch.randn(300, 128), requires_grad=False)
    assert not training_linear(x, weight).requires_grad
    y = training_linear(x, weight, nn.Parameter(torch.zeros(300)))
    y.sum().backward()
    assert weight.grad is None


def test_a_gradient_that_is_spread_over_memory_is_read_right() -> None:
    x, weight = torch.randn(8, 64, 128, requires_grad=True), nn.Parameter(torch.randn(300, 128))
    upstream = torch.randn(300, 64, 8).permute(2, 1, 0)  # as a transposed product's gradient lies
    ours, theirs = (torch.autograd.grad(f(x, weight), [x, weight], upstream) for f in (training_linear, F.linear))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-3)
    ones = torch.ones(()).expand(8, 64, 300)
    ours, theirs = (torch.autograd.grad(f(x, weight), [x, weight], ones) for f in (training_linear, F.linear))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-3)


def test_other_arithmetic_stays_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = torch.randn(512, 128), nn.Parameter(torch.randn(300, 128))
    assert not module._serves(x[:4], weight)  # too little work
    assert not module._serves(x.double(), nn.Parameter(weight.detach().double()))
    assert not module._serves(x, weight * 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert not module._serves(x, weight)
        assert training_linear(x, weight).dtype == torch.bfloat16
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    assert not module._serves(x, weight)


def test_the_models_layers_train_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr("seq2seq_kit.layers.packed_weights.training_linear", lambda *inputs: called.append(inputs))
    layer = PackedLinear(128, 300).train()
    x = torch.randn(512, 128)
    layer(x)
    assert [id(given) for given in called[0]] == [id(x), id(layer.weight), id(layer.bias)]
