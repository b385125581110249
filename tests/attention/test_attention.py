"""What every attention promises, and each one's formula, written out slowly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import ATTENTIONS, lengths_mask
from torch import Tensor

from seq2seq_kit.attention.functional import masked_softmax
from seq2seq_kit.config import validate
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec
from seq2seq_kit.registry import registry

LOOKING = [name for name in ATTENTIONS if name != "none"]
QUERY, SIZE = 6, 6  # equal, for dot


def attention(section: Any, query_size: int = QUERY, memory_size: int = SIZE) -> Attention:
    section = {"name": section} if isinstance(section, str) else section
    component = registry().find("attention", section["name"]).component
    config = validate(component.load_config(), section, "test")
    torch.manual_seed(0)
    built = component.load()(config, query_size, MemorySpec(memory_size))
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.normal_()
    return built.eval()


def memory(lengths: tuple[int, ...] = (4, 2, 0), size: int = SIZE, seed: int = 1) -> Memory:
    generator = torch.Generator().manual_seed(seed)
    mask = lengths_mask(list(lengths))
    return Memory(torch.randn(*mask.shape, size, generator=generator), mask)


def queries(count: int = 3, batch: int = 3) -> Tensor:
    return torch.randn(batch, count, QUERY, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", LOOKING)
def test_weights_are_a_distribution_over_real_positions(name: str) -> None:
    model, source = attention(ATTENTIONS[name]), memory()
    context, weights, state = model(queries(), model.project(source), {})
    assert context.shape == (3, 3, model.context_size)
    assert weights.shape == (3, 3, 4)
    assert state == {}
    assert not weights.masked_select(~source.mask.unsqueeze(1)).any()  # exactly zero
    torch.testing.assert_close(weights.sum(-1), torch.tensor([1.0, 1.0, 0.0]).unsqueeze(1).expand(3, 3))


@pytest.mark.parametrize("name", LOOKING)
def test_an_empty_sentence_gives_zero_weights_and_finite_gradients(name: str) -> None:
    model, source, query = attention(ATTENTIONS[name]), memory((0, 2)), queries(2, 2).requires_grad_()
    context, weights, _ = model(query, model.project(source), {})
    assert not weights[0].any()
    if name != "multihead":  # whose output layer has a bias
        assert not context[0].any()
    context.sum().backward()
    assert query.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", LOOKING)
def test_a_memory_of_width_zero(name: str) -> None:
    model = attention(ATTENTIONS[name])
    empty = Memory(torch.zeros(2, 0, SIZE), torch.zeros(2, 0, dtype=torch.bool))
    context, weights, _ = model(queries(2, 2), model.project(empty), {})
    assert context.isfinite().all() and weights.shape == (2, 2, 0)


@pytest.mark.parametrize("name", LOOKING)
def test_nothing_leaks_out_of_the_padding(name: str) -> None:
    model, source = attention(ATTENTIONS[name]), memory()
    expected = model(queries(), model.project(source), {})[0]
    poisoned = Memory(source.states.masked_fill(~source.mask.unsqueeze(-1), float("nan")), source.mask)
    query = queries().requires_grad_()
    context = model(query, model.project(poisoned), {})[0]
    assert torch.equal(context, expected)
    context.sum().backward()
    assert query.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", LOOKING)
def test_queries_are_independent(name: str) -> None:
    model, source, query = attention(ATTENTIONS[name]), memory(), queries(5)
    projected = model.project(source)
    together = model(query, projected, {})
    for q in range(5):
        alone = model(query[:, q : q + 1], projected, {})
        torch.testing.assert_close(alone[0], together[0][:, q : q + 1])
        torch.testing.assert_close(alone[1], together[1][:, q : q + 1])


@pytest.mark.parametrize("name", LOOKING)
def test_what_is_projected_belongs_to_sentences(name: str) -> None:
    projected = attention(ATTENTIONS[name]).project(memory())
    assert all(x.shape[0] == 3 for x in projected.values())


def slow_score(name: str, model: Any, q: Tensor, s: Tensor) -> Tensor:
    """The score of one query and one state, from the paper."""
    if name == "bahdanau":
        return model.energy.weight[0] @ torch.tanh(model.query.weight @ q + model.key.weight @ s + model.key.bias)
    if name == "luong-dot":
        return q @ s
    if name == "luong-general":
        return q @ (model.key.weight @ s)
    if name == "luong-concat":
        both = torch.cat([model.query.weight, model.key.weight], 1) @ torch.cat([q, s])
        return model.energy.weight[0] @ torch.tanh(both)
    return (model.query(q) @ model.key(s)) / q.numel() ** 0.5


@pytest.mark.parametrize("name", [name for name in LOOKING if name != "multihead"])
@torch.no_grad()
def test_the_formula(name: str) -> None:
    model, source, query = attention(ATTENTIONS[name]), memory(), queries()
    context, weights, _ = model(query, model.project(source), {})
    for b, length in enumerate((4, 2)):
        for i in range(3):
            states = source.states[b, :length]
            scores = torch.stack([slow_score(name, model, query[b, i], s) for s in states])
            torch.testing.assert_close(weights[b, i, :length], scores.softmax(0))
            torch.testing.assert_close(context[b, i], scores.softmax(0) @ states)


@torch.no_grad()
def test_multihead_is_the_one_of_pytorch() -> None:
    model: Any = attention({"name": "multihead", "heads": 2})
    source, query = memory((4, 2, 1)), queries()
    peer = torch.nn.MultiheadAttention(QUERY, 2, batch_first=True).eval()
    peer.in_proj_weight.copy_(torch.cat([model.query.weight, model.key.weight, model.value.weight]))
    peer.in_proj_bias.copy_(torch.cat([model.query.bias, model.key.bias, model.value.bias]))
    peer.out_proj.load_state_dict(model.out.state_dict())
    context, weights, _ = model(query, model.project(source), {})
    expected, expected_weights = peer(query, source.states, source.states, key_padding_mask=~source.mask)
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights, expected_weights)  # the mean over heads


def test_multihead_without_weights_gives_the_same_context_for_an_empty_source_too() -> None:
    model: Any = attention({"name": "multihead", "heads": 2})
    torch.nn.init.normal_(model.value.bias)
    source, query = memory((4, 2, 0)), queries()
    expected, weights, _ = model(query, model.project(source), {})
    model.weights_wanted = False
    context, none, _ = model(query, model.project(source), {})
    assert none is None and weights is not None and not weights[2].any()
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(context[2], model.out.bias.expand_as(context[2]))


@pytest.mark.parametrize("section", [n for n in ATTENTIONS if n not in ("none", "luong-dot")])
def test_any_sizes_of_query_and_memory_go_together(section: str) -> None:
    model = attention(ATTENTIONS[section], memory_size=10)
    context, _, _ = model(queries(), model.project(memory(size=10)), {})
    assert context.shape[-1] == model.context_size


@pytest.mark.parametrize("name", ["bahdanau", "scaled_dot", "multihead"])
def test_its_own_size_may_be_chosen(name: str) -> None:
    model = attention({"name": name, "size": 12})
    context, _, _ = model(queries(), model.project(memory()), {})
    assert context.shape[-1] == model.context_size == (12 if name == "multihead" else SIZE)


@pytest.mark.parametrize("name", ["scaled_dot", "multihead"])
def test_dropout_drops_weights_in_training_only_and_returns_them_whole(name: str) -> None:
    model = attention({"name": name, "dropout": 0.9, **({"heads": 2} if name == "multihead" else {})}).train()
    projected = model.project(memory((4, 4, 4)))
    first, second = model(queries(), projected, {}), model(queries(), projected, {})
    assert not torch.equal(first[0], second[0])
    torch.testing.assert_close(first[1].sum(-1), torch.ones(3, 3))
    model.eval()
    assert torch.equal(model(queries(), projected, {})[0], model(queries(), projected, {})[0])


def test_no_attention_gives_a_context_of_width_zero() -> None:
    model = attention("none")
    context, weights, _ = model(queries(), model.project(memory()), {})
    assert model.context_size == 0
    assert context.shape == (3, 3, 0)
    assert weights is None


def test_dot_of_unequal_sizes_is_refused_with_both_and_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"size 6 and the encoder's states have size 10: .*'general'"):
        attention(ATTENTIONS["luong-dot"], memory_size=10)


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"4 heads do not divide the size 6 \(of the decoder\)"):
        attention("multihead")


def test_masked_softmax_in_half_precision() -> None:
    scores = torch.tensor([[6e4, -6e4, 1.0], [-6e4, -6e4, -6e4]], dtype=torch.float16)
    weights = masked_softmax(scores, torch.tensor([[True, True, False], [False, False, False]]))
    assert torch.equal(weights, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float16))
