"""The residual connection by the engine's kernel is the sum, dropout and norm that torch computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from seq2seq_kit.layers.norms import Residual, make_norm
from seq2seq_kit.layers.training_residual import training_residual, training_residual_serves
from seq2seq_kit.layers.transformer_config import TransformerConfig

TYPES = [(torch.float32, torch.float32), (torch.float32, torch.bfloat16), (torch.bfloat16, torch.bfloat16)]


def norm_of(kind: str, size: int) -> nn.Module | None:
    norm = None if kind == "none" else make_norm(kind, size)  # type: ignore[arg-type]
    for parameter in norm.parameters() if norm else ():
        nn.init.normal_(parameter, 1.0)
    return norm


def kept(shape: tuple[int, ...], probability: float, seed: int) -> Tensor:
    """What dropout multiplies with, as the kernel draws it."""
    torch.manual_seed(seed)
    return training_residual(torch.zeros(shape), torch.ones(shape), probability, None)


@pytest.mark.parametrize("kind", ["none", "layer", "rms"])
@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 15), (2, 5, 16), (7, 33), (40, 256)])
@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_it_computes_what_torch_does(
    kind: str, types: tuple[torch.dtype, torch.dtype], shape: tuple[int, ...], probability: float
) -> None:
    torch.manual_seed(0)
    norm = norm_of(kind, shape[-1])
    parameters = list(norm.parameters()) if norm else []
    x, y = (torch.randn(shape).to(dtype).requires_grad_() for dtype in types)
    upstream = torch.randn(shape).to(types[0])
    mask = kept(shape, probability, 1).double()
    torch.manual_seed(1)
    assert training_residual_serves(x, y, norm)
    found = training_residual(x, y, probability, norm)
    gradients = torch.autograd.grad(found, [x, y, *parameters], upstream)

    expected = x.double() + y.double() * mask
    if norm:
        expected = norm.double()(expected)
    wanted = torch.autograd.grad(expected, [x, y, *norm.parameters()] if norm else [x, y], upstream.double())
    assert found.dtype == x.dtype and [g.dtype for g in gradients[:2]] == [x.dtype, y.dtype]
    rough = types[1] == torch.bfloat16
    for ours, theirs in zip((found, *gradients), (expected, *wanted), strict=True):
        scale = max(1.0, float(theirs.detach().abs().max()))  # a gradient of one number by its norm is large
        torch.testing.assert_close(ours.double() / scale, theirs.double() / scale, rtol=0, atol=2e-2 if rough else 5e-5)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_entries_are_dropped_apart_and_the_rest_keeps_the_mean(probability: float) -> None:
    mask = kept((301, 203), probability, 0)
    assert mask.unique().numel() == 2 and float(mask.max()) == pytest.approx(1 / (1 - probability))
    dropped = (mask == 0).double()
    assert float(dropped.mean()) == pytest.approx(probability, abs=0.005)
    for rows, columns in ((0, 1), (0, 2), (0, 16), (1, 0), (1, 1), (2, 0), (16, 0)):  # neighbours
        both = (dropped[rows:, columns:] * dropped[: 301 - rows, : 203 - columns]).mean()
        assert float(both) == pytest.approx(probability**2, abs=0.01)
    assert (
        float(dropped.mean(0).std()) < 0.05 and float(dropped.mean(1).std()) < 0.05
    )  # no row and no column stands out


def test_it_follows_the_seed() -> None:
    first, again, other = (kept((20, 30), 0.5, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    torch.manual_seed(1)
    pair = [training_residual(torch.zeros(20, 30), torch.ones(20, 30), 0.5, None) for _ in range(2)]
    assert not torch.equal(*pair)


def test_it_is_the_same_on_two_threads() -> None:
    found, threads = [], torch.get_num_threads()
    norm = norm_of("layer", 24)
    assert norm is not None
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(0)
            x, y = (torch.randn(400, 24, requires_grad=True) for _ in range(2))
            out = training_residual(x, y, 0.2, norm)
            found.append([out, *torch.autograd.grad(out.square().sum(), [x, y, *norm.parameters()])])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_nothing_and_numbers_that_are_none() -> None:
    norm = norm_of("layer", 8)
    empty = torch.zeros(0, 3, 8, requires_grad=True)
    out = training_residual(empty, empty, 0.1, norm)
    out.sum().backward()
    assert out.shape == (0, 3, 8) and empty.grad is not None
    wrong = training_residual(torch.full((2, 8), torch.nan), torch.zeros(2, 8), 0.0, norm)
    assert wrong.isnan().all()


def test_layers_use_it_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[object, ...]] = []

    def record(*given: Tensor) -> Tensor:
        called.append(given)
        return given[0]

    monkeypatch.setattr("seq2seq_kit.layers.norms.training_residual", record)
    x = torch.randn(2, 3, 8)
    for position in ("pre", "post"):
        layer = Residual(TransformerConfig(name="transformer", size=8, norm_position=position, dropout=0.1))
        layer.leave(x, x)
        layer.double().leave(x.double(), x.double())
        layer.float().eval().leave(x, x)
        with torch.no_grad():
            layer.train().leave(x, x)
    assert [given[2:] for given in called] == [(0.1, None), (0.1, layer.norm)]
    norm = nn.LayerNorm(8)
    assert training_residual_serves(x, x, norm)
    norm.register_forward_hook(lambda *_: None)
    assert not training_residual_serves(x, x, norm)
    assert not training_residual_serves(x.bfloat16(), x, None)
    assert not training_residual_serves(x, x[:1], None)
