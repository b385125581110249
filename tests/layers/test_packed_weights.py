"""Weights packed for the CPU give what plain ones give, and never an old weight's result."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_models import CELLS, VARIANTS, member, tiny_batch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from seq2seq_kit.layers import packed_weights
from seq2seq_kit.layers.packed_weights import PackedLinear, PackedWeights

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def _pack_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_weights, "LEAST_WORK", 0)


class Calls(TorchDispatchMode):
    """The names of the operations called inside."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))

    @property
    def packings(self) -> int:
        return sum("_reorder_linear_weight" in name for name in self.names)

    @property
    def products(self) -> int:
        return sum("_linear_pointwise" in name for name in self.names)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (2, 3, 24), (160, 24)])
@torch.inference_mode()
def test_a_packed_product_is_the_product(shape: tuple[int, ...], bias: bool) -> None:
    with torch.inference_mode(False):
        weight = nn.Parameter(torch.randn(40, 24))
    x, b = torch.randn(shape), torch.randn(40) if bias else None
    with Calls() as calls:
        found = PackedWeights().linear(x, weight, b)
    assert calls.products == 1
    torch.testing.assert_close(found, F.linear(x, weight, b))


@torch.no_grad()
def test_a_weight_is_packed_once() -> None:
    layer = PackedLinear(8, 8).eval()
    with Calls() as calls:
        for rows in (1, 5, 3):
            layer(torch.randn(rows, 8))
    assert (calls.packings, calls.products) == (1, 3)


def by_an_optimizer(layer: PackedLinear) -> None:
    with torch.enable_grad():
        layer(torch.ones(1, 8)).sum().backward()
    torch.optim.AdamW(layer.parameters(), lr=0.5).step()


def by_loading(layer: PackedLinear) -> None:
    layer.load_state_dict({name: x + 1 for name, x in layer.state_dict().items()})


def by_assignment(layer: PackedLinear) -> None:
    layer.load_state_dict({name: x + 1 for name, x in layer.state_dict().items()}, assign=True)


def by_new_data(layer: PackedLinear) -> None:
    layer.weight.data = layer.weight.data + 1


def by_new_data_twice(layer: PackedLinear) -> None:
    """The allocator may give the second the place of what was packed."""
    layer.weight.data = layer.weight.data + 1
    layer.weight.data = layer.weight.data + 1


def by_other_precision(layer: PackedLinear) -> None:
    layer.weight.data[:] += 1
    layer.double().float()


def in_training(layer: PackedLinear) -> None:
    layer.train()
    layer.weight.data[:] += 1  # not counted by torch
    layer.eval()


@pytest.mark.parametrize(
    "change",
    [by_an_optimizer, by_loading, by_assignment, by_new_data, by_new_data_twice, by_other_precision, in_training],
)
@torch.no_grad()
def test_a_changed_weight_is_packed_anew(change: Callable[[PackedLinear], None]) -> None:
    layer, x = PackedLinear(8, 8).eval(), torch.randn(3, 8)
    before = layer(x)
    change(layer)
    after = layer(x)
    assert not torch.allclose(before, after, atol=1e-3)
    torch.testing.assert_close(after, F.linear(x, layer.weight, layer.bias))


def test_where_gradients_are_recorded_they_flow() -> None:
    layer = PackedLinear(8, 8).eval()
    with Calls() as calls:
        layer(torch.randn(2, 8)).sum().backward()
    assert layer.weight.grad is not None and calls.products == 0


@torch.no_grad()
def test_what_is_no_float32_parameter_on_the_cpu_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, x = PackedWeights(), torch.randn(2, 8)
    weight = nn.Parameter(torch.randn(8, 8))
    assert packed.serve(x, weight)
    assert not packed.serve(x.double(), nn.Parameter(weight.double()))
    assert not packed.serve(x, weight.detach())
    assert not packed.serve(x.to("meta"), nn.Parameter(weight.to("meta")))
    with torch.autocast("cpu"):
        assert not packed.serve(x, weight)
        assert packed.linear(x, weight).dtype == torch.bfloat16
    with torch.inference_mode():
        assert not packed.serve(x, nn.Parameter(torch.randn(8, 8)))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not packed.serve(x, weight)


@torch.no_grad()
def test_small_work_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_weights, "LEAST_WORK", 2**20)
    packed, large, small = PackedWeights(), nn.Parameter(torch.zeros(1024, 1024)), nn.Parameter(torch.zeros(512, 512))
    assert packed.serve(torch.zeros(1, 1024), large)
    assert packed.serve(torch.zeros(2, 2, 512), small)
    assert not packed.serve(torch.zeros(1, 512), small)
    assert not packed.serve(torch.zeros(0, 1024), large)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
@torch.no_grad()
def test_a_copy_has_layouts_of_its_own(duplicate: Callable[[PackedLinear], PackedLinear]) -> None:
    layer, x = PackedLinear(8, 8).eval(), torch.randn(3, 8)
    expected = layer(x)
    other = duplicate(layer)
    other.weight.add_(1)
    assert torch.equal(layer(x), expected)
    torch.testing.assert_close(other(x), F.linear(x, other.weight, other.bias))


def test_threads_may_share_a_layer() -> None:
    layer, x = PackedLinear(8, 8).eval(), torch.randn(3, 8)

    @torch.inference_mode()
    def use(_: int) -> Tensor:
        return layer(x)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(use, range(64)))
    assert all(torch.equal(y, found[0]) for y in found)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_decoders_step_is_the_same_with_packed_weights(
    cell: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = member("gru", cell, "bahdanau", variant), tiny_batch((3, 2))
    state = model.decoder.init_state(model.encoder(batch), 2)
    arguments = torch.tensor([[4], [5]]), torch.zeros(2, dtype=torch.long), state
    with Calls() as calls:
        packed = model.decoder.step(*arguments)
    assert calls.products >= 3  # w_ih, w_hh and the output layer
    monkeypatch.setattr(PackedWeights, "serve", lambda *_: False)
    plain = model.decoder.step(*arguments)
    torch.testing.assert_close(packed.scores, plain.scores)
    torch.testing.assert_close(packed.rows, plain.rows)


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_decoder_that_was_trained_on_forgets_its_layouts(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = member("gru", cell, "luong-general"), tiny_batch((3, 2))
    state = model.decoder.init_state(model.encoder(batch), 2)
    arguments = torch.tensor([[4], [5]]), torch.zeros(2, dtype=torch.long), state
    before = model.decoder.step(*arguments).scores
    model.train()
    for parameter in model.decoder.network.parameters():
        parameter.data.mul_(2)
    model.eval()
    after = model.decoder.step(*arguments).scores
    assert not torch.allclose(before, after, atol=1e-3)
    monkeypatch.setattr(PackedWeights, "serve", lambda *_: False)
    torch.testing.assert_close(after, model.decoder.step(*arguments).scores)
