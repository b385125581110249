"""The convolutional encoder and decoder: padding, causality, steps and decoding."""

from __future__ import annotations

import pytest
import torch
from seq2seq_kit_conv.decoder import ConvDecoder, ConvDecoderConfig
from seq2seq_kit_conv.encoder import ConvEncoder, ConvEncoderConfig
from seq2seq_kit_conv.plugin import register_components

from seq2seq_kit import Batch, ConfigError, MemorySpec, SearchOptions, SourceSpec, TargetSpec, UserError, search
from seq2seq_kit.testing import check_decoder, check_encoder

VOCABULARY = 11
TARGET = TargetSpec(VOCABULARY)


def make_batch(lengths: list[int], width: int | None = None, seed: int = 0) -> Batch:
    """Random sources of these lengths, padded to ``width``."""
    generator = torch.Generator().manual_seed(seed)
    width = width or max(lengths)
    mask = torch.arange(width) < torch.tensor(lengths).unsqueeze(1)
    source = torch.randint(4, VOCABULARY, (len(lengths), max(lengths)), generator=generator)
    source = torch.nn.functional.pad(source, (0, width - source.shape[1]))
    return Batch(source.masked_fill(~mask, 0), mask)


def make_encoder(**options: object) -> ConvEncoder:
    torch.manual_seed(1)
    config = ConvEncoderConfig(**{"embedding_size": 6, "size": 8, "layers": 2, **options})  # type: ignore[arg-type]
    return ConvEncoder(config, SourceSpec(vocab_size=VOCABULARY)).eval()


def make_decoder(memory: MemorySpec | None = None, **options: object) -> ConvDecoder:
    torch.manual_seed(2)
    config = ConvDecoderConfig(**{"embedding_size": 6, "size": 8, "layers": 2, **options})  # type: ignore[arg-type]
    return ConvDecoder(config, TARGET, memory or MemorySpec(6)).eval()


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_padding_does_not_change_real_positions(kernel: int) -> None:
    encoder = make_encoder(kernel=kernel)
    alone = encoder(make_batch([4]))
    batch = make_batch([4], width=9)
    batch.source[0, 4:] = 7  # rubbish where the mask says padding
    padded = encoder(batch)
    torch.testing.assert_close(padded.states[:, :4], alone.states)
    assert not padded.states[:, 4:].any()
    decoder, prefix = make_decoder(), torch.tensor([[1, 5, 6]])
    torch.testing.assert_close(decoder(prefix, padded).hidden, decoder(prefix, alone).hidden)


@pytest.mark.parametrize("width", [0, 3])
def test_a_source_without_any_token_is_defined(width: int) -> None:
    nothing = Batch(torch.zeros(1, width, dtype=torch.long), torch.zeros(1, width, dtype=torch.bool))
    memory = make_encoder()(nothing)
    assert memory.states.shape == (1, width, 6)
    assert make_decoder()(torch.tensor([[1, 5]]), memory).hidden.isfinite().all()


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_the_encoder_keeps_its_contract(kernel: int) -> None:
    check_encoder(make_encoder(kernel=kernel), SourceSpec(vocab_size=VOCABULARY))


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("memory_size", [6, 10])
def test_the_decoder_keeps_its_contract(kernel: int, memory_size: int) -> None:
    memory = make_encoder(embedding_size=memory_size)(make_batch([5, 3, 1]))
    check_decoder(make_decoder(MemorySpec(memory_size), kernel=kernel), memory, target=TARGET)


def test_attention_is_a_distribution_over_the_source() -> None:
    memory = make_encoder()(make_batch([5, 3, 1]))
    attention = make_decoder()(torch.ones(3, 7).long(), memory).attention
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 7))
    assert not attention.masked_select(~memory.mask.unsqueeze(1)).any()


def test_a_position_sees_no_later_token() -> None:
    decoder, memory = make_decoder(), make_encoder()(make_batch([4]))
    first, second = torch.tensor([[1, 5, 6, 7]]), torch.tensor([[1, 5, 9, 8]])
    torch.testing.assert_close(decoder(first, memory).hidden[:, :2], decoder(second, memory).hidden[:, :2])
    assert not torch.allclose(decoder(first, memory).hidden[:, 2:], decoder(second, memory).hidden[:, 2:])


def test_positions_beyond_the_last_one_are_read() -> None:
    encoder, decoder = make_encoder(max_positions=3), make_decoder(max_positions=3)
    memory = encoder(make_batch([8]))
    assert decoder(torch.ones(1, 9).long(), memory).hidden.isfinite().all()


def test_frames_can_be_read_instead_of_tokens() -> None:
    encoder = ConvEncoder(ConvEncoderConfig(embedding_size=6, size=8), SourceSpec(feature_size=5)).eval()
    memory = encoder(Batch(torch.randn(2, 7, 5), torch.ones(2, 7, dtype=torch.bool)))
    assert memory.states.shape == (2, 7, 6)
    assert encoder.memory_spec.size == 6


def test_gradients_reach_every_parameter() -> None:
    encoder, decoder = make_encoder().train(), make_decoder().train()
    memory = encoder(make_batch([5, 3]))
    hidden = decoder(torch.randint(4, VOCABULARY, (2, 4)), memory).hidden
    decoder.output(hidden, memory).square().sum().backward()
    for module in (encoder, decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.any(), name


def test_a_sentence_is_decoded_alike_alone_and_in_a_padded_batch() -> None:
    encoder, decoder, lengths = make_encoder(), make_decoder(), [5, 2, 7, 1]
    batch, options = make_batch(lengths, width=9), SearchOptions(beam_size=3, n_best=3, max_length=8)
    with torch.inference_mode():
        together = search(decoder.step, decoder.init_state(encoder(batch), 4), options)
        for b, length in enumerate(lengths):
            one = encoder(Batch(batch.source[b : b + 1, :length], batch.source_mask[b : b + 1, :length]))
            [alone] = search(decoder.step, decoder.init_state(one, 1), options)
            assert [h.tokens for h in alone] == [h.tokens for h in together[b]]
            assert [h.score for h in alone] == pytest.approx([h.score for h in together[b]], abs=1e-5)


def test_refusals_say_why() -> None:
    with pytest.raises(ConfigError, match="needs an encoder"):
        ConvDecoder(ConvDecoderConfig(), TARGET, None)
    with pytest.raises(UserError, match="without a memory"):
        make_decoder().init_state(None, 1)
    with pytest.raises(ConfigError, match="neither a source vocabulary nor a feature size"):
        ConvEncoder(ConvEncoderConfig(), SourceSpec())


def test_what_is_declared_can_be_loaded() -> None:
    for component in register_components():
        assert component.load().__name__.startswith("Conv")
        assert component.load_config()().name == component.name
