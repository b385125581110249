"""What is added to embeddings, and what self-attention is told, for all positions and for one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tiny_models import TINY_TRANSFORMER
from tiny_transformers import tiny_decoder, tiny_encoder

from seq2seq_kit.attention.functional import padding_bias
from seq2seq_kit.config import validate
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.layers.positions import Positions, sinusoids
from seq2seq_kit.layers.transformer_config import TransformerConfig

CPU = torch.device("cpu")


def positions(kind: str, causal: bool = True, **options: Any) -> Positions:
    config = validate(TransformerConfig, {"name": "tiny", **TINY_TRANSFORMER, "positions": kind, **options}, "test")
    return Positions(config, causal)


def test_sinusoids_are_those_of_the_first_implementation() -> None:
    found = sinusoids(torch.arange(5), 8)
    for place in range(5):
        for i in range(4):
            angle = place / 10000 ** (i / 3)
            assert float(found[place, i]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(found[place, 4 + i]) == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoids(torch.arange(5), 7).shape == (5, 7)


def test_sinusoids_can_be_those_of_the_paper() -> None:
    found = sinusoids(torch.arange(5), 8, paper=True)
    for place in range(5):
        for i in range(4):
            angle = place / 10000 ** (2 * i / 8)
            assert float(found[place, i]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(found[place, 4 + i]) == pytest.approx(math.cos(angle), abs=1e-5)


@pytest.mark.parametrize("kind", ["sinusoidal", "learned"])
def test_positions_can_begin_with_another_number(kind: str) -> None:
    from_two, zeros = positions(kind, position_offset=2, max_positions=4), torch.zeros(1, 4, 8)
    if kind == "learned":
        torch.testing.assert_close(from_two.add(zeros)[0], from_two.embedding.weight[2:])
        with pytest.raises(UserError, match="up to 4 tokens, and here is one of 5"):
            from_two.add(torch.zeros(1, 5, 8))
    else:
        torch.testing.assert_close(from_two.add(zeros)[0, :2], positions(kind).add(zeros)[0, 2:])


@pytest.mark.parametrize("kind", ["sinusoidal", "learned"])
def test_a_step_is_given_the_position_that_it_is_at(kind: str) -> None:
    places = positions(kind)
    everywhere = places.add(torch.zeros(2, 6, 8))
    at = places.add(torch.zeros(2, 3, 8), torch.tensor([5, 2]))  # three hypotheses of two sentences
    torch.testing.assert_close(at[0], everywhere[0, 5:6].expand(3, 8))
    torch.testing.assert_close(at[1], everywhere[1, 2:3].expand(3, 8))


@pytest.mark.parametrize("kind", ["t5", "alibi"])
def test_the_biases_of_a_step_are_the_last_row_of_those_of_all(kind: str) -> None:
    places = positions(kind)
    if kind == "t5":
        torch.nn.init.normal_(places.buckets.bias.weight)
    everywhere = places.relations(6, CPU).bias
    step = places.relations_of_step(torch.tensor([5]), 5).bias
    assert everywhere is not None and step is not None
    torch.testing.assert_close(step, everywhere[:, :, 5:])
    assert bool(everywhere[0, 0].triu(1)[0, 1:].isneginf().all())


def test_what_needs_no_bias_gets_none() -> None:
    for kind in ("sinusoidal", "learned", "rotary", "none"):
        relations = positions(kind).relations(4, CPU)
        assert relations.bias is None and relations.causal
        assert positions(kind, causal=False).relations(4, CPU, torch.ones(2, 4).bool()).bias is None


def test_padding_is_barred_but_in_a_sentence_of_nothing_else() -> None:
    real = torch.tensor([[True, True, False], [False, False, False]])
    bias = padding_bias(real)
    assert bias is not None and bias.shape == (2, 1, 1, 3)
    assert bias[:, 0, 0].isneginf().tolist() == [[False, False, True], [False] * 3]
    assert padding_bias(real[:1, :2]) is None


def test_a_learned_position_that_there_is_not_gets_a_sentence() -> None:
    decoder = tiny_decoder(None, positions="learned", max_positions=4)
    decoder(torch.ones(1, 4, dtype=torch.long), None)
    with pytest.raises(UserError, match="sequences of up to 4 tokens, and here is one of 5: raise max_positions"):
        decoder(torch.ones(1, 5, dtype=torch.long), None)
    with pytest.raises(UserError, match="up to 4 tokens, and here is one of 5"):
        decoder.step(torch.ones(1, 1, dtype=torch.long), torch.tensor([4]), decoder.init_state(None, 1))


def test_rotary_positions_need_heads_of_even_width() -> None:
    with pytest.raises(ConfigError, match="2 heads in size 6 have an odd width, 3"):
        tiny_encoder(size=6, positions="rotary")
