"""The Transformer encoder keeps its contract with every option, and is the layer that PyTorch has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import SOURCE, lengths_mask, tiny_batch
from tiny_transformers import SHARED, name_of, one_at_a_time, shake, tiny_encoder, together
from torch import nn

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, SourceSpec
from seq2seq_kit.testing import check_encoder

TRAINING_ONLY = ("dropout", "attention_dropout", "activation_dropout", "word_dropout", "layer_drop")
IN_EVAL = {name: values for name, values in SHARED.items() if name not in TRAINING_ONLY}


@pytest.mark.parametrize("options", [*one_at_a_time(IN_EVAL), *together(SHARED, 4)], ids=name_of)
def test_it_keeps_the_contract(options: dict[str, Any]) -> None:
    encoder = tiny_encoder(**options)
    shake(encoder)
    check_encoder(encoder, SOURCE)


@pytest.mark.parametrize("norm_position", ["pre", "post"])
@torch.no_grad()
def test_a_layer_is_pytorchs(norm_position: str) -> None:
    encoder = tiny_encoder(layers=1, norm_position=norm_position, positions="none", final_norm=False)
    shake(encoder)
    theirs = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=norm_position == "pre").eval()
    ours: Any = encoder.layers[0]
    pairs = {
        theirs.self_attn: {"in_proj_": ours.self_attention.query_key_value},
        theirs.self_attn.out_proj: {"": ours.self_attention.out},
        theirs.linear1: {"": ours.feed_forward.hidden},
        theirs.linear2: {"": ours.feed_forward.out},
        theirs.norm1: {"": ours.self_attention_residual.norm},
        theirs.norm2: {"": ours.feed_forward_residual.norm},
    }
    for module, sources in pairs.items():
        for prefix, source in sources.items():
            for name in ("weight", "bias"):
                getattr(module, prefix + name).copy_(getattr(source, name))
    batch = tiny_batch((6, 3, 1))
    embedded = encoder.embedding(batch.source)
    expected = theirs(embedded, src_key_padding_mask=~batch.source_mask)
    mask = batch.source_mask
    torch.testing.assert_close(encoder(batch).states[mask], expected[mask])


@torch.no_grad()
def test_tokens_start_as_large_as_their_positions() -> None:
    encoder = tiny_encoder(SourceSpec(500), size=64)
    assert 0.9 < float(encoder.embedding(torch.arange(1, 500)).std()) < 1.1
    plain = tiny_encoder(SourceSpec(500), size=64, embedding_scale=False)
    assert 0.9 < 8 * float(plain.embedding(torch.arange(1, 500)).std()) < 1.1
    assert not encoder.embedding(torch.tensor([0])).any()


def test_it_reads_frames_and_ignores_what_stands_in_their_padding() -> None:
    encoder = tiny_encoder(SourceSpec(feature_size=5))
    check_encoder(encoder, SourceSpec(feature_size=5))
    mask = lengths_mask([4, 2])
    frames = torch.randn(2, 4, 5)
    expected = encoder(Batch(frames, mask)).states
    frames[1, 2:] = torch.nan
    torch.testing.assert_close(encoder(Batch(frames, mask)).states, expected)
    with pytest.raises(ConfigError, match="neither a source vocabulary nor a feature size"):
        tiny_encoder(SourceSpec())


@pytest.mark.parametrize("option", ["dropout", "attention_dropout", "activation_dropout", "word_dropout", "layer_drop"])
@torch.no_grad()
def test_every_dropout_acts_in_training_alone(option: str) -> None:
    encoder = tiny_encoder(**{"dropout": 0.0, option: 0.5})
    shake(encoder)
    batch = tiny_batch((6, 3))
    assert torch.equal(encoder(batch).states, encoder(batch).states)
    encoder.train()
    first = encoder(batch).states
    assert any(not torch.equal(encoder(batch).states, first) for _ in range(10))


@torch.no_grad()
def test_dropped_words_leave_their_positions() -> None:
    encoder = tiny_encoder(dropout=0.0, word_dropout=0.5).train()
    embedded = encoder._embed(Batch(torch.full((40, 1), 4), torch.ones(40, 1).bool()), torch.zeros(40, 1, 1).bool())[
        :, 0
    ]
    word, place = encoder.embedding(torch.tensor(4)), torch.tensor([0.0] * 4 + [1.0] * 4)
    kept = (embedded - place).abs().sum(1) > 1e-3
    assert 5 < int(kept.sum()) < 35
    torch.testing.assert_close(embedded[kept], (2 * word + place).expand(int(kept.sum()), 8))


def test_activations_computed_again_give_the_same_gradients() -> None:
    gradients = []
    for again in (False, True):
        encoder = tiny_encoder(checkpoint_activations=again, dropout=0.5, layer_drop=0.3).train()
        torch.manual_seed(1)
        encoder(tiny_batch((6, 3))).states.square().sum().backward()
        gradients.append([None if p.grad is None else p.grad.clone() for p in encoder.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)  # type: ignore[arg-type]


def test_only_where_it_is_wanted_are_activations_computed_again() -> None:
    for again, expected in ((False, 1), (True, 2)):
        calls: list[int] = []
        encoder = tiny_encoder(checkpoint_activations=again, layers=1)
        encoder.layers[0].register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        encoder(tiny_batch((6, 3))).states.sum().backward()
        assert len(calls) == expected


@torch.no_grad()
def test_padding_and_empty_sources_have_zero_states() -> None:
    encoder = tiny_encoder()
    shake(encoder)
    memory = encoder(tiny_batch((6, 0, 3)))
    assert not memory.states[~memory.mask].any() and memory.states[memory.mask].any()
    assert not memory.mean()[1].any() and memory.final == {}


def test_no_gradient_is_lost_or_nan_where_a_source_is_empty() -> None:
    for positions in SHARED["positions"]:
        encoder = tiny_encoder(positions=positions, dropout=0.0)
        shake(encoder)
        encoder(tiny_batch((6, 0, 3))).states.square().sum().backward()
        for name, parameter in encoder.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name
