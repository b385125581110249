"""The engine's own Transformer encoder does what the encoder's ``forward`` does, and depends on nothing else."""

from __future__ import annotations

import copy
import pickle
import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import SOURCE, lengths_mask
from tiny_transformers import SHARED, name_of, one_at_a_time, shake, tiny_encoder, together

from seq2seq_kit.decoding.stepper import native_encoder
from seq2seq_kit.encoders.transformer import TransformerEncoder, TransformerEncoderConfig
from seq2seq_kit.errors import SearchError, UserError
from seq2seq_kit.interfaces import Batch, Memory, Precision, SourceSpec

NATIVE = {name: values for name, values in SHARED.items() if "drop" not in name and name != "checkpoint_activations"}
NATIVE |= {"size": [8, 24], "heads": [2, 4]}
"""The options that matter in eval mode."""
LENGTHS = [5, 2, 0, 7, 1, 40]


def encoder_of(source: SourceSpec = SOURCE, **options: Any) -> TransformerEncoder:
    """An encoder with every parameter in use."""
    encoder = tiny_encoder(source, **options)
    shake(encoder)
    return encoder


def batch_of(lengths: list[int], seed: int = 0, **factors: int) -> Batch:
    """Random sentences, with padding that is noticed where it is read. ``factors``: how many ids each has."""
    generator = torch.Generator().manual_seed(seed)
    mask = lengths_mask(lengths)

    def ids(count: int) -> torch.Tensor:
        return torch.randint(1, count, mask.shape, generator=generator)

    assert SOURCE.vocab_size is not None
    return Batch(ids(SOURCE.vocab_size), mask, extras={name: ids(count) for name, count in factors.items()})


@torch.no_grad()
def encode(encoder: TransformerEncoder, batch: Batch, precision: Precision = "fp32") -> Memory:
    native = native_encoder(encoder, precision)
    assert native is not None
    return native.encode(batch)


@torch.no_grad()
def assert_same(encoder: TransformerEncoder, batch: Batch, precision: Precision = "fp32", atol: float = 1e-4) -> None:
    memory, expected = encode(encoder, batch, precision), encoder(batch)
    assert torch.equal(memory.mask, expected.mask) and not memory.states[~memory.mask].any()
    torch.testing.assert_close(memory.states, expected.states, atol=atol, rtol=0)


@pytest.mark.parametrize("options", [{}, *one_at_a_time(NATIVE), *together(NATIVE, 40)], ids=name_of)
def test_the_states_are_those_of_forward(options: dict[str, Any]) -> None:
    assert_same(encoder_of(**options), batch_of(LENGTHS))


@pytest.mark.parametrize("sizes", [(None, None), (3, None), (3, 5)], ids=name_of)
def test_factors(sizes: tuple[int | None, int | None]) -> None:
    factors = {"case": {"vocab_size": 4, "size": sizes[0]}, "tag": {"vocab_size": 6, "size": sizes[1]}}
    encoder = encoder_of(factors=factors)
    assert_same(encoder, batch_of(LENGTHS, case=4, tag=6))
    with pytest.raises(UserError, match="a factor 'case', and the task gives no such extras"):
        encode(encoder, batch_of(LENGTHS))


def test_frames() -> None:
    encoder = encoder_of(SourceSpec(feature_size=5))
    mask = lengths_mask(LENGTHS)
    assert_same(encoder, Batch(torch.randn(*mask.shape, 5).masked_fill(~mask.unsqueeze(-1), torch.nan), mask))


@pytest.mark.parametrize("positions", ["sinusoidal", "alibi", "shaw", "rotary"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 0.1), ("int8", 0.2)])
@torch.no_grad()
def test_matrices_of_many_panels_and_long_sources(positions: Any, precision: Precision, tolerance: float) -> None:
    torch.manual_seed(0)
    config = TransformerEncoderConfig(size=144, layers=2, heads=3, feed_forward_size=300, positions=positions)
    encoder = TransformerEncoder(config, SOURCE).eval()
    assert_same(encoder, batch_of([9, 17, 1, 300, 4, 30]), precision, tolerance)


@pytest.mark.parametrize("size", [1, 3, 24])
@pytest.mark.parametrize(
    "options",
    [{}, {"positions": "t5", "key_value_heads": 1}, {"positions": "shaw", "norm_position": "post"}],
    ids=name_of,
)
def test_the_batch_changes_no_bit(options: dict[str, Any], size: int) -> None:
    encoder = encoder_of(size=24, heads=3, **options)
    lengths = [random.Random(i).randint(0, 70) for i in range(24)]
    whole = batch_of(lengths)
    expected = encode(encoder, whole).states
    order = random.Random(size).sample(range(24), 24)
    for start in range(0, 24, size):
        chosen = order[start : start + size]
        width = max(lengths[i] for i in chosen)
        found = encode(encoder, Batch(whole.source[chosen, :width], whole.source_mask[chosen, :width])).states
        assert torch.equal(found, expected[chosen, :width])


def test_threads_change_no_bit() -> None:
    encoder, batch = encoder_of(), batch_of(LENGTHS)
    expected = encode(encoder, batch).states
    threads = torch.get_num_threads()
    try:
        for count in (2, 5):
            torch.set_num_threads(count)
            assert torch.equal(encode(encoder, batch).states, expected)
            alone = Batch(batch.source[5:], batch.source_mask[5:])
            assert torch.equal(encode(encoder, alone).states, expected[5:])
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("lengths", [[0], [0, 0, 0], [1]], ids=str)
def test_next_to_nothing(lengths: list[int]) -> None:
    for positions in SHARED["positions"]:
        assert_same(encoder_of(positions=positions), batch_of(lengths))
    assert encode(encoder_of(), Batch(torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, 4).bool())).states.shape == (
        0,
        4,
        8,
    )


def memory_of_this_process(field: str) -> int:
    """In bytes: ``VmRSS``, what it takes now; ``VmHWM``, the most since it was forgotten."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(rf"{field}:\s+(\d+) kB", status)[0])


def test_long_sources_take_no_memory_for_every_pair_of_positions() -> None:
    encoder, batch = encoder_of(layers=1, heads=1), batch_of([10_000])
    native: Any = encoder.native()
    before = memory_of_this_process("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    native.encode(batch)
    assert memory_of_this_process("VmHWM") - before < 10_000 * 10_000


@torch.no_grad()
def test_it_sees_every_change_of_the_weights() -> None:
    encoder, batch = encoder_of(), batch_of(LENGTHS)
    assert_same(encoder, batch)
    native: Any = encoder.native()
    assert native.weights is encoder.native().weights  # type: ignore[union-attr]  # packed once
    for parameter in encoder.parameters():
        parameter.mul_(-0.7)
    assert_same(encoder, batch)
    encoder.train()
    assert encoder.native() is None
    for parameter in encoder.parameters():
        parameter.data.mul_(-1)
    assert_same(encoder.eval(), batch)
    encoder.layers[0].feed_forward.hidden = copy.deepcopy(encoder.layers[1].feed_forward.hidden)  # type: ignore[union-attr]
    assert_same(encoder, batch)
    assert_same(pickle.loads(pickle.dumps(encoder)), batch)


class Louder(TransformerEncoder):
    """A subclass that computes something else."""

    def forward(self, batch: Batch) -> Memory:
        memory = super().forward(batch)
        return Memory(memory.states * 2, memory.mask)


def test_it_is_offered_only_where_it_is_the_same_function() -> None:
    encoder = encoder_of()
    assert native_encoder(encoder) is not None
    encoder.__class__ = Louder
    assert native_encoder(encoder) is None
    encoder.__class__ = TransformerEncoder
    handle = encoder.register_forward_hook(lambda *_: None)
    assert native_encoder(encoder) is None
    handle.remove()
    assert native_encoder(encoder) is not None
    encoder.forward = encoder.forward  # type: ignore[method-assign]
    assert native_encoder(encoder) is None
    assert native_encoder(encoder_of().double()) is None


def test_mistakes_get_a_sentence() -> None:
    encoder, batch = encoder_of(positions="learned", max_positions=3), batch_of([2, 5])
    with pytest.raises(UserError, match="up to 3 tokens, and here is one of 5"):
        encode(encoder, batch)
    batch.source_mask[1, 0] = False
    with pytest.raises(SearchError, match="sentence 1: padding comes before a real position"):
        encode(encoder_of(), batch)
