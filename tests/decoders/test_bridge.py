"""How the encoder's end becomes the decoder's start, for unlike encoders and decoders."""

from __future__ import annotations

import pytest
import torch
from tiny_models import CELLS, lengths_mask, member, tiny_batch, tiny_model

from seq2seq_kit.decoders.bridge import Bridge
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Memory, MemorySpec

LSTM = ("h", "c")


def memory(layers: int = 2, size: int = 6, names: tuple[str, ...] = LSTM) -> tuple[MemorySpec, Memory]:
    mask = lengths_mask([3, 2])
    final = {name: torch.randn(2, layers, size) for name in names}
    return MemorySpec(size, {name: (layers, size) for name in names}), Memory(torch.randn(2, 3, size), mask, final)


def zeros(layers: int, size: int) -> torch.Tensor:
    return torch.zeros(2, layers, size)


def test_copy_is_the_encoders_own_state() -> None:
    spec, encoded = memory()
    start = Bridge("copy", LSTM, 2, 6, spec)(encoded, zeros(2, 6))
    assert torch.equal(start["h"], encoded.final["h"]) and torch.equal(start["c"], encoded.final["c"])


def test_layers_are_matched_from_the_top() -> None:
    spec, encoded = memory(layers=2)
    start = Bridge("copy", ("h",), 1, 6, spec)(encoded, zeros(1, 6))
    assert torch.equal(start["h"][:, 0], encoded.final["h"][:, 1])
    start = Bridge("copy", ("h",), 3, 6, spec)(encoded, zeros(3, 6))
    assert torch.equal(start["h"], encoded.final["h"][:, [0, 0, 1]])


def test_linear_maps_each_layer_by_its_own_matrix_and_bounds_h() -> None:
    spec, encoded = memory()
    bridge = Bridge("linear", LSTM, 2, 8, spec)
    start = bridge(encoded, zeros(2, 8))
    for layer in range(2):
        h, c = bridge.linear[f"h{layer}"], bridge.linear[f"c{layer}"]
        torch.testing.assert_close(start["h"][:, layer], torch.tanh(h(encoded.final["h"][:, layer])))
        torch.testing.assert_close(start["c"][:, layer], c(encoded.final["c"][:, layer]))


def test_an_lstm_after_a_gru_makes_its_cell_state_of_h_or_of_nothing() -> None:
    spec, encoded = memory(names=("h",))
    bridge = Bridge("linear", LSTM, 2, 8, spec)
    start = bridge(encoded, zeros(2, 8))
    torch.testing.assert_close(start["c"][:, 1], bridge.linear["c1"](encoded.final["h"][:, 1]))
    assert not Bridge("copy", LSTM, 2, 6, spec)(encoded, zeros(2, 6))["c"].any()


def test_a_gru_after_an_lstm_takes_h() -> None:
    spec, encoded = memory()
    start = Bridge("copy", ("h",), 2, 6, spec)(encoded, zeros(2, 6))
    assert set(start) == {"h"} and torch.equal(start["h"], encoded.final["h"])


@pytest.mark.parametrize("names", [(), ("summary",)])
def test_the_mean_of_the_states_stands_in_for_a_missing_final_state(names: tuple[str, ...]) -> None:
    spec, encoded = memory(names=names)
    start = Bridge("copy", LSTM, 2, 6, spec)(encoded, zeros(2, 6))
    expected = torch.stack([encoded.states[0, :3].mean(0), encoded.states[1, :2].mean(0)])
    torch.testing.assert_close(start["h"], expected.unsqueeze(1).expand(2, 2, 6))
    assert not start["c"].any()


def test_zero_looks_at_nothing_and_has_no_parameters() -> None:
    spec, encoded = memory()
    for bridge in (Bridge("zero", LSTM, 2, 8, spec), Bridge("linear", LSTM, 2, 8, None)):
        assert not list(bridge.parameters())
        assert not any(x.any() for x in bridge(encoded, zeros(2, 8)).values())


def test_copy_between_unequal_sizes_is_refused_with_both() -> None:
    with pytest.raises(ConfigError, match=r"size 8 and the encoder's final state has size 6: .*'linear'"):
        Bridge("copy", LSTM, 2, 8, memory()[0])
    with pytest.raises(ConfigError, match=r"size 8 and the encoder's states have size 6"):
        Bridge("copy", LSTM, 2, 8, MemorySpec(6))


@pytest.mark.parametrize("kind", ["linear", "copy", "zero"])
@pytest.mark.parametrize("decoder", CELLS)
@pytest.mark.parametrize("encoder", CELLS)
@torch.no_grad()
def test_every_bridge_between_every_two_cells(encoder: str, decoder: str, kind: str) -> None:
    model, batch = member(encoder, decoder, "none", bridge=kind), tiny_batch()
    start = model.decoder.init_state(model.encoder(batch), 4)
    assert start.rows["h"].any() == (kind != "zero")
    assert model(batch)[0].isfinite().all()


@torch.no_grad()
def test_only_the_bridge_tells_a_decoder_without_attention_about_the_source() -> None:
    batch, other = tiny_batch((4, 4)), tiny_batch((4, 4), seed=5)
    other.target = batch.target
    for kind, tells in (("linear", True), ("zero", False)):
        model = tiny_model("gru", {"name": "gru", "attention": "none", "bridge": kind})
        assert torch.equal(model(batch)[0], model(other)[0]) != tells
