"""The engine's recurrent encoder does what torch's does, and depends on nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from tiny_models import SOURCE, lengths_mask
from torch import Tensor

from seq2seq_kit.config import validate
from seq2seq_kit.encoders.recurrent import (
    GRUEncoder,
    GRUEncoderConfig,
    LSTMEncoder,
    LSTMEncoderConfig,
    RecurrentEncoder,
    RNNEncoder,
    RNNEncoderConfig,
)
from seq2seq_kit.interfaces import Batch, Memory, Precision, SourceSpec

ENCODERS: dict[str, tuple[Any, Any]] = {
    "lstm": (LSTMEncoder, LSTMEncoderConfig),
    "gru": (GRUEncoder, GRUEncoderConfig),
    "rnn": (RNNEncoder, RNNEncoderConfig),
}
LENGTHS = [5, 2, 0, 7, 3, 7, 1]


def encoder_of(cell: str, source: SourceSpec = SOURCE, **options: Any) -> RecurrentEncoder:
    torch.manual_seed(0)
    cls, config = ENCODERS[cell]
    encoder: RecurrentEncoder = cls(validate(config, {"embedding_size": 5, "size": 18} | options, "test"), source)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder.eval()


def batch_of(lengths: list[int], features: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(1)
    mask = lengths_mask(lengths)
    if features:
        return Batch(torch.randn(*mask.shape, features, generator=generator), mask)
    return Batch(torch.randint(4, 9, mask.shape, generator=generator), mask)


def native(encoder: RecurrentEncoder, batch: Batch, precision: Precision = "fp32") -> Memory:
    found = encoder.native(precision)
    assert found is not None
    return found.encode(batch)


def assert_close(found: Memory, expected: Memory, tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(found.states, expected.states, atol=tolerance, rtol=0)
    assert found.final.keys() == expected.final.keys() and torch.equal(found.mask, expected.mask)
    for name, final in found.final.items():
        torch.testing.assert_close(final, expected.final[name], atol=tolerance, rtol=0)


@pytest.mark.parametrize("cell", ENCODERS)
@pytest.mark.parametrize(
    ("layers", "bidirectional", "frames"), [*itertools.product([1, 3], [False, True], [False, True])]
)
@torch.no_grad()
def test_it_is_torchs_encoder(cell: str, layers: int, bidirectional: bool, frames: bool) -> None:
    source = SourceSpec(feature_size=3) if frames else SOURCE
    encoder = encoder_of(cell, source, layers=layers, bidirectional=bidirectional)
    for lengths in (LENGTHS, [4, 4, 4], [0, 0]):
        batch = batch_of(lengths, 3 if frames else 0)
        assert_close(native(encoder, batch), encoder(batch))


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.03), ("int8", 0.1)])
@torch.no_grad()
def test_less_precise_weights_give_nearly_the_same(precision: Precision, tolerance: float) -> None:
    encoder, batch = encoder_of("lstm", size=70, layers=2, bidirectional=True), batch_of([30, 9, 1])
    found, expected = native(encoder, batch, precision), encoder(batch)
    assert_close(found, expected, tolerance)
    assert not torch.allclose(found.states, expected.states, atol=1e-6)


@pytest.mark.parametrize("cell", ENCODERS)
@torch.no_grad()
def test_the_batch_changes_no_bit(cell: str) -> None:
    encoder, whole = encoder_of(cell, layers=2, bidirectional=True), batch_of(LENGTHS)
    expected = native(encoder, whole)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        again = native(encoder, whole)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(again.states, expected.states)

    def of(memory: Memory, row: int, length: int) -> list[Tensor]:
        return [memory.states[row, :length], *(final[row] for final in memory.final.values())]

    for sentence, length in enumerate(LENGTHS):
        one = slice(sentence, sentence + 1)
        alone = native(encoder, Batch(whole.source[one, :length], whole.source_mask[one, :length]))
        for own, other in zip(of(alone, 0, length), of(expected, sentence, length), strict=True):
            assert torch.equal(own, other)


class Backwards(LSTMEncoder):
    """An encoder of somebody else."""

    def forward(self, batch: Batch) -> Memory:
        return super().forward(Batch(batch.source.flip(1), batch.source_mask))


def test_it_is_offered_only_where_it_is_the_same_function() -> None:
    encoder = encoder_of("lstm")
    assert encoder.native() is not None and encoder.native("int8") is not None
    encoder.__class__ = Backwards
    assert encoder.native() is None
    encoder.__class__ = LSTMEncoder
    encoder.train()
    assert encoder.native() is None
    assert encoder_of("gru").double().native() is None


def test_it_sees_every_change_of_the_weights() -> None:
    encoder, batch = encoder_of("gru"), batch_of(LENGTHS)
    with torch.no_grad():
        before = native(encoder, batch)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(-0.7)
    with torch.no_grad():
        assert_close(native(encoder, batch), encoder(batch))
        assert not torch.equal(native(encoder, batch).states, before.states)
