"""The Transformer decoder keeps its contract with every option, and is the layer that PyTorch has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import TARGET, tiny_batch, tiny_model
from tiny_transformers import DECODER, MEMORY, name_of, one_at_a_time, shake, tiny_decoder, together
from torch import nn

from seq2seq_kit.components import Component
from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, shift_right
from seq2seq_kit.registry import register
from seq2seq_kit.testing import check_decoder
from seq2seq_kit.unroll import unroll

TRAINING_ONLY = ("dropout", "attention_dropout", "activation_dropout", "word_dropout", "layer_drop")
IN_EVAL = {name: values for name, values in DECODER.items() if name not in TRAINING_ONLY}


def random_memory(*lengths: int) -> Memory:
    batch = tiny_batch(lengths)
    return Memory(torch.randn(len(lengths), max(lengths), MEMORY.size), batch.source_mask)


@pytest.mark.parametrize("options", [*one_at_a_time(IN_EVAL), *together(DECODER, 6)], ids=name_of)
def test_it_keeps_the_contract(options: dict[str, Any]) -> None:
    decoder = tiny_decoder(**options)
    shake(decoder)
    check_decoder(decoder, MEMORY, target=TARGET)


@pytest.mark.parametrize("options", [{}, *one_at_a_time({"autoregressive": DECODER["autoregressive"]})], ids=name_of)
def test_without_a_memory_it_is_a_language_model(options: dict[str, Any]) -> None:
    decoder = tiny_decoder(None, **options)
    check_decoder(decoder, target=TARGET)
    assert not any("attention." in name for name, _ in decoder.named_parameters() if "self_attention" not in name)
    found = search(decoder.step, decoder.init_state(None, 2), SearchOptions(beam_size=3, max_length=5))
    assert found[0][0].tokens == found[1][0].tokens


@pytest.mark.parametrize("norm_position", ["pre", "post"])
@torch.no_grad()
def test_a_layer_is_pytorchs(norm_position: str) -> None:
    decoder = tiny_decoder(MemorySpec(8), layers=1, norm_position=norm_position, positions="none", final_norm=False)
    shake(decoder)
    theirs = nn.TransformerDecoderLayer(8, 2, 12, batch_first=True, norm_first=norm_position == "pre").eval()
    ours: Any = decoder.layers[0]
    lookup = ours.attention
    for name in ("weight", "bias"):
        parts = [getattr(x, name) for x in (lookup.query, lookup.key, lookup.value)]
        getattr(theirs.multihead_attn, f"in_proj_{name}").copy_(torch.cat(parts))
        getattr(theirs.self_attn, f"in_proj_{name}").copy_(getattr(ours.autoregressive.query_key_value, name))
    pairs = [
        (theirs.self_attn.out_proj, ours.autoregressive.out),
        (theirs.multihead_attn.out_proj, lookup.out),
        (theirs.linear1, ours.feed_forward.hidden),
        (theirs.linear2, ours.feed_forward.out),
        (theirs.norm1, ours.autoregressive_residual.norm),
        (theirs.norm2, ours.attention_residual.norm),
        (theirs.norm3, ours.feed_forward_residual.norm),
    ]
    for module, source in pairs:
        module.weight.copy_(source.weight)
        module.bias.copy_(source.bias)
    batch = tiny_batch((6, 3, 1))
    memory = Memory(torch.randn(3, 6, 8), batch.source_mask)
    assert batch.target is not None
    causal = nn.Transformer.generate_square_subsequent_mask(batch.target.shape[1])
    embedded = decoder.embedding(batch.target)
    expected = theirs(embedded, memory.states, causal, memory_key_padding_mask=~memory.mask, tgt_is_causal=True)
    torch.testing.assert_close(decoder(batch.target, memory).hidden, expected)


@torch.no_grad()
def test_attention_that_nobody_wants_is_not_formed() -> None:
    decoder = tiny_decoder()
    shake(decoder)
    memory, prefix = random_memory(6, 3, 1), torch.randint(4, 11, (3, 5))
    wanted = decoder(prefix, memory)
    decoder.attention_wanted = False
    unwanted = decoder(prefix, memory)
    assert wanted.attention is not None and wanted.attention.shape == (3, 5, 6)
    assert unwanted.attention is None
    torch.testing.assert_close(unwanted.hidden, wanted.hidden)
    assert decoder.step(prefix[:, :1], torch.zeros(3).long(), decoder.init_state(memory, 3)).attention is None


@torch.no_grad()
def test_attention_is_that_of_the_layer_that_was_chosen() -> None:
    memory, prefix = random_memory(6, 3), torch.randint(4, 11, (2, 5))
    decoders = [tiny_decoder(layers=3, alignment_layer=layer) for layer in (1, 2, 3, None)]
    found = [decoder(prefix, memory).attention for decoder in decoders]
    assert torch.equal(found[2], found[3])
    assert not torch.equal(found[0], found[1]) and not torch.equal(found[1], found[2])
    seen = []
    decoders[1].layers[1].attention.register_forward_hook(lambda module, given, output: seen.append(output[1]))
    assert torch.equal(decoders[1](prefix, memory).attention, seen[0])


def test_gradients_reach_every_parameter_by_steps_too() -> None:
    for options in ({}, {"autoregressive": "average"}, {"autoregressive": "ssru"}, {"positions": "shaw"}):
        model = tiny_model("transformer", {"name": "transformer", **options})
        batch = tiny_batch((4, 2))
        memory = model.encode(batch)
        scores = [unroll(model.decoder, memory, batch.target, TARGET.bos_id, 0.5)]
        state, tokens = model.decoder.init_state(memory, 2), torch.ones(2, 1, dtype=torch.long)
        for t in range(3):
            output = model.decoder.step(tokens, torch.full((2,), t), state)
            state = state.advance(output)
            scores.append(output.scores)
        sum(x.log_softmax(-1)[..., 4].sum() for x in scores).backward()
        for name, parameter in model.named_parameters():
            if not name.endswith("key.bias"):  # adds the same to every score of a query: the softmax forgets it
                assert parameter.grad is not None and parameter.grad.any(), f"no gradient reaches {name}"


@pytest.mark.parametrize("option", TRAINING_ONLY)
@torch.no_grad()
def test_every_dropout_acts_in_training_alone(option: str) -> None:
    decoder = tiny_decoder(**{"dropout": 0.0, option: 0.5})
    shake(decoder)
    memory, prefix = random_memory(6, 3), torch.randint(4, 11, (2, 5))
    assert torch.equal(decoder(prefix, memory).hidden, decoder(prefix, memory).hidden)
    decoder.train()
    first = decoder(prefix, memory).hidden
    assert any(not torch.equal(decoder(prefix, memory).hidden, first) for _ in range(10))


def test_the_lookup_is_like_self_attention_by_default() -> None:
    options = {"attention_dropout": 0.3, "head_size": 6, "scale_attention": False, "bias": False}
    assert tiny_decoder(**options).config.attention.model_dump() == {
        "name": "multihead",
        "heads": 2,
        "size": None,
        "head_size": 6,
        "scale": False,
        "bias": False,
        "dropout": 0.3,
    }


def test_a_wrong_value_gets_one_sentence() -> None:
    with pytest.raises(ConfigError) as caught:
        tiny_decoder(heads="many")
    assert str(caught.value).startswith("test: heads: input should be") and "\n" not in str(caught.value)


@torch.no_grad()
def test_the_layer_whose_attention_is_wanted_is_never_dropped() -> None:
    decoder = tiny_decoder(layer_drop=0.99).train()
    memory, prefix = random_memory(6, 3), torch.randint(4, 11, (2, 5))
    assert all(decoder(prefix, memory).attention is not None for _ in range(10))


def test_activations_computed_again_give_the_same_gradients() -> None:
    gradients = []
    memory, prefix = random_memory(6, 3), torch.randint(4, 11, (2, 5))
    for again in (False, True):
        decoder = tiny_decoder(checkpoint_activations=again, dropout=0.5).train()
        torch.manual_seed(1)
        decoder.attention_wanted = False  # as a criterion sets it, for the time of the call
        hidden = decoder(prefix, memory).hidden
        decoder.attention_wanted = True
        hidden.square().sum().backward()
        gradients.append([None if p.grad is None else p.grad.clone() for p in decoder.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


@torch.no_grad()
def test_tied_and_untied_output_layers() -> None:
    hidden = torch.randn(2, 3, 8)
    tied, free = tiny_decoder(), tiny_decoder(tie_embeddings=False, output_bias=False)
    shake(tied)
    torch.testing.assert_close(tied.output(hidden, None), hidden @ tied.embedding.weight.T + tied.output_bias)
    torch.testing.assert_close(free.output(hidden, None), hidden @ free.output_layer.weight.T)
    assert "output_bias" not in dict(tiny_decoder(output_bias=False).named_parameters())


FAMILIES: dict[str, tuple[Any, Any]] = {
    "transformer-lstm": ("transformer", "lstm"),
    "transformer-gru-feeding": ("transformer", {"name": "gru", "input_feeding": True}),
    "lstm-transformer": ("lstm", "transformer"),
    "gru-ssru": ("gru", {"name": "transformer", "autoregressive": "ssru"}),
    "deep-shallow": ({"name": "transformer", "layers": 4}, {"name": "transformer", "layers": 1}),
}


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_families_mix(family: str) -> None:
    model = tiny_model(*FAMILIES[family])
    batch = tiny_batch((6, 3, 0, 1))
    memory = model.encode(batch)
    check_decoder(model.decoder, memory, target=TARGET)
    assert batch.target is not None
    taught = model(batch)[0]
    state, tokens, scores = model.decoder.init_state(memory, 4), shift_right(batch.target, TARGET.bos_id), []
    for t in range(tokens.shape[1]):
        output = model.decoder.step(tokens[:, t : t + 1], torch.full((4,), t), state)
        state = state.advance(output)
        scores.append(output.scores)
    torch.testing.assert_close(torch.cat(scores, 1), taught, atol=1e-5, rtol=0)


class PastConfig(ComponentConfig):
    name: str = "past"


class Past(Attention):
    recurrent = True
    context_size = 8

    def __init__(self, config: PastConfig, query_size: int, memory: MemorySpec) -> None:
        super().__init__()

    def project(self, memory: Memory) -> Any: ...

    def forward(self, query: Any, projected: Any, state: Any) -> Any: ...


def test_what_does_not_go_with_a_transformer_is_refused() -> None:
    register(Component("attention", "past", Past, PastConfig))
    with pytest.raises(ConfigError, match="attention past looks up one position at a time"):
        tiny_decoder(attention="past")
    with pytest.raises(ConfigError, match="attention none would leave the source unread"):
        tiny_decoder(attention="none")
    with pytest.raises(ConfigError, match="alignment_layer is 3, but there are 2 layers"):
        tiny_decoder(alignment_layer=3)
    with pytest.raises(ConfigError, match="'rotary' are told to self-attention, but autoregressive is 'ssru'"):
        tiny_decoder(positions="rotary", autoregressive="ssru")
    with pytest.raises(ConfigError, match="attention multihead: 3 heads do not divide the size 8"):
        tiny_decoder(attention={"name": "multihead", "heads": 3})
    decoder = tiny_decoder()
    for call in (lambda: decoder.init_state(None, 2), lambda: decoder(torch.ones(2, 3, dtype=torch.long), None)):
        with pytest.raises(UserError, match="built to look up a source, and is given no memory"):
            call()
