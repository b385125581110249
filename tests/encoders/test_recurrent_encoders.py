"""What users of the recurrent encoders rely on: padding, empty sentences, the final state, sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import CELLS, SOURCE, lengths_mask, tiny_batch

from seq2seq_kit.components import Component
from seq2seq_kit.config import validate
from seq2seq_kit.encoders.recurrent import RecurrentEncoder
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, SourceSpec
from seq2seq_kit.registry import registry


def encoder(name: str, source: SourceSpec = SOURCE, **options: Any) -> RecurrentEncoder:
    component: Component = registry().find("encoder", name).component
    values = {"name": name, "size": 6, "embedding_size": 5, **options}
    torch.manual_seed(0)
    built = component.load()(validate(component.load_config(), values, "test"), source)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.normal_()
    return built.eval()


SHAPES = [{"layers": 1}, {"layers": 2}, {"layers": 1, "bidirectional": True}, {"layers": 2, "bidirectional": True}]


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_states_and_final_state_are_those_of_the_sentence_alone(name: str, options: dict[str, Any]) -> None:
    model, batch = encoder(name, **options), tiny_batch((6, 3, 5, 1))
    memory = model(batch)
    assert memory.states.shape == (4, 6, 6) and torch.equal(memory.mask, batch.source_mask)
    for i, length in enumerate((6, 3, 5, 1)):
        states, final = model.network(model.embedding(batch.source[i : i + 1, :length]))
        torch.testing.assert_close(memory.states[i, :length], states[0])
        assert not memory.states[i, length:].any()
        finals = dict(zip(model.state_names, final if isinstance(final, tuple) else (final,), strict=True))
        assert set(memory.final) == set(finals)
        for key, x in finals.items():
            by_layer = x[:, 0].reshape(options["layers"], -1)  # directions side by side
            torch.testing.assert_close(memory.final[key][i], by_layer)


@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_the_top_layer_of_the_final_state_is_the_last_real_state(name: str) -> None:
    model, batch = encoder(name, layers=2), tiny_batch((6, 3, 5, 1))
    memory = model(batch)
    last = memory.states[torch.arange(4), batch.source_mask.sum(1) - 1]
    torch.testing.assert_close(memory.final["h"][:, -1], last)


@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_the_memory_is_as_its_spec_says(name: str) -> None:
    model = encoder(name, layers=3, bidirectional=True)
    memory = model(tiny_batch())
    spec = model.memory_spec
    assert spec.size == memory.states.shape[2]
    assert {key: tuple(x.shape[1:]) for key, x in memory.final.items()} == dict(spec.final)


@pytest.mark.parametrize("lengths", [(0, 0), (0, 4), (3, 0, 2), ()])
@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_an_empty_sentence_is_all_zeros(name: str, lengths: tuple[int, ...]) -> None:
    mask = lengths_mask(list(lengths), 4)
    batch = Batch(torch.full(mask.shape, 5), mask)
    memory = encoder(name, bidirectional=True)(batch)
    assert memory.states.shape == (len(lengths), 4, 6)
    for i, length in enumerate(lengths):
        assert memory.final["h"][i].any() == bool(length)
        assert memory.states[i].any() == bool(length)


@torch.no_grad()
def test_a_batch_of_width_zero() -> None:
    model = encoder("lstm", layers=2)
    memory = model(Batch(torch.zeros(3, 0, dtype=torch.long), torch.zeros(3, 0, dtype=torch.bool)))
    assert memory.states.shape == (3, 0, 6)
    assert memory.final["c"].shape == (3, 2, 6)
    assert not memory.mean().any()


@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_what_stands_in_the_padding_does_not_matter(name: str) -> None:
    model, batch = encoder(name, bidirectional=True), tiny_batch()
    other = batch.source.masked_fill(~batch.source_mask, 8)
    memory, changed = model(batch), model(Batch(other, batch.source_mask))
    assert torch.equal(memory.states, changed.states)
    assert torch.equal(memory.final["h"], changed.final["h"])


def test_frames_are_read_in_place_of_tokens() -> None:
    model = encoder("gru", SourceSpec(feature_size=3))
    mask = lengths_mask([4, 2])
    memory = model(Batch(torch.randn(2, 4, 3), mask))
    assert memory.states.shape == (2, 4, 6)
    assert not memory.states[1, 2:].any()


def test_a_source_of_neither_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither a source vocabulary nor a feature size"):
        encoder("gru", SourceSpec())


def test_an_odd_size_has_no_two_halves() -> None:
    with pytest.raises(ConfigError, match=r"encoder lstm: .* 7 is odd: use 8 or 6"):
        encoder("lstm", size=7, bidirectional=True)
    encoder("lstm", size=7)


def test_dropout_acts_in_training_only() -> None:
    model, batch = encoder("lstm", layers=2, dropout=0.5), tiny_batch()
    assert torch.equal(model(batch).states, model(batch).states)
    model.train()
    assert not torch.equal(model(batch).states, model(batch).states)
    with torch.no_grad():
        model.embedding.weight.zero_()
    assert not torch.equal(model(batch).states, model(batch).states)  # between layers too


def test_padding_has_no_embedding() -> None:
    component = registry().find("encoder", "lstm").component
    model = component.load()(component.load_config()(size=8), SOURCE)
    assert not model.embedding.weight[SOURCE.pad_id].any()
    assert model.embedding.weight[SOURCE.pad_id + 1].any()
