"""The sublayers against their papers' formulas, one position and one head at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_models import TINY_TRANSFORMER
from tiny_transformers import shake
from torch import Tensor

from seq2seq_kit.config import validate
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.layers.average import AverageAttention
from seq2seq_kit.layers.feed_forward import FeedForward
from seq2seq_kit.layers.norms import Residual, final_norm, make_norm
from seq2seq_kit.layers.positions import Relations
from seq2seq_kit.layers.self_attention import SelfAttention
from seq2seq_kit.layers.ssru import SSRU
from seq2seq_kit.layers.transformer_config import TransformerConfig


def config(**options: Any) -> TransformerConfig:
    found: TransformerConfig = validate(TransformerConfig, {"name": "tiny", **TINY_TRANSFORMER, **options}, "test")
    return found


def made(kind: type[Any], **options: Any) -> Any:
    torch.manual_seed(0)
    layer = kind(config(**options)).eval()
    shake(layer)
    return layer


@pytest.mark.parametrize("groups", [4, 2, 1])
@torch.no_grad()
def test_self_attention_is_a_weighted_sum_for_each_head(groups: int) -> None:
    layer = made(SelfAttention, heads=4, key_value_heads=groups)
    x = torch.randn(1, 5, 8)
    projected = layer.query_key_value(x)[0]  # [T, (4 + 2 groups) * 2]
    query, keys, values = projected.split([8, 2 * groups, 2 * groups], -1)
    expected = torch.zeros(5, 8)
    for t in range(5):
        for head in range(4):
            group = head // (4 // groups)
            q, k, v = (y[:, 2 * i : 2 * i + 2] for y, i in ((query, head), (keys, group), (values, group)))
            weights = (k[: t + 1] @ q[t] / math.sqrt(2)).softmax(0)
            expected[t, 2 * head : 2 * head + 2] = weights @ v[: t + 1]
    torch.testing.assert_close(layer(x, Relations(causal=True))[0], layer.out(expected))


@torch.no_grad()
def test_grouped_queries_keep_a_smaller_history() -> None:
    like = torch.zeros(3, 8)
    assert made(SelfAttention).first_history(like)["keys"].shape == (3, 1, 0, 2, 4)
    assert made(SelfAttention, key_value_heads=1).first_history(like)["values"].shape == (3, 1, 0, 1, 4)


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigError, match="tiny: 3 heads do not divide the size 8"):
        SelfAttention(config(heads=3))
    with pytest.raises(ConfigError, match="3 key_value_heads do not divide the 4 heads"):
        SelfAttention(config(heads=4, key_value_heads=3))


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("relu", torch.relu),
        ("gelu", F.gelu),
        ("silu", F.silu),
        ("reglu", torch.relu),
        ("geglu", F.gelu),
        ("swiglu", F.silu),
    ],
)
@torch.no_grad()
def test_feed_forward_networks(activation: str, formula: Any) -> None:
    layer = made(FeedForward, activation=activation)
    x = torch.randn(3, 8)
    hidden = x @ layer.hidden.weight.T + layer.hidden.bias
    hidden = formula(hidden[:, :12]) * hidden[:, 12:] if activation.endswith("glu") else formula(hidden)
    torch.testing.assert_close(layer(x), hidden @ layer.out.weight.T + layer.out.bias)


@torch.no_grad()
def test_average_attention_gates_the_mean_of_what_was_before() -> None:
    layer = made(AverageAttention)
    x = torch.randn(1, 4, 8)
    for t in range(4):
        seen = layer.feed_forward(x[0, : t + 1].mean(0))
        gates = layer.gates(torch.cat([x[0, t], seen]))
        expected = torch.sigmoid(gates[:8]) * x[0, t] + torch.sigmoid(gates[8:]) * seen
        torch.testing.assert_close(layer(x, Relations())[0, t], expected)


@torch.no_grad()
def test_the_recurrent_unit_is_that_of_the_paper() -> None:
    layer = made(SSRU)
    x = torch.randn(1, 4, 8)
    cell = torch.zeros(8)
    for t in range(4):
        forget, new = (layer.project.weight @ x[0, t] + layer.project.bias).chunk(2)
        cell = torch.sigmoid(forget) * cell + (1 - torch.sigmoid(forget)) * new
        torch.testing.assert_close(layer(x, Relations())[0, t], torch.relu(cell))


@torch.no_grad()
def test_norms() -> None:
    x = 3 * torch.randn(2, 8) + 1
    torch.testing.assert_close(make_norm("rms", 8)(x), x / (x**2).mean(1, keepdim=True).sqrt(), atol=1e-4, rtol=0)
    centred = x - x.mean(1, keepdim=True)
    expected = centred / x.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(make_norm("layer", 8)(x), expected, atol=1e-4, rtol=0)


def sublayer(x: Tensor) -> Tensor:
    return x * x


@torch.no_grad()
def test_the_norm_stands_before_the_sublayer_or_after_the_sum() -> None:
    x = torch.randn(2, 8)
    pre, post = (Residual(config(norm_position=where)).eval() for where in ("pre", "post"))
    torch.testing.assert_close(pre.leave(x, sublayer(pre.enter(x))), x + sublayer(pre.norm(x)))
    torch.testing.assert_close(post.leave(x, sublayer(post.enter(x))), post.norm(x + sublayer(x)))


@pytest.mark.parametrize(
    ("position", "wanted", "normed"),
    [("pre", None, True), ("post", None, False), ("pre", False, False), ("post", True, True)],
)
def test_a_final_norm_where_it_is_needed_or_wanted(position: str, wanted: bool | None, normed: bool) -> None:
    norm = final_norm(config(norm_position=position, final_norm=wanted))
    assert isinstance(norm, torch.nn.LayerNorm) == normed
