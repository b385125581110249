"""The convolutional encoder and decoder: padding, causality, steps and decoding."""

from __future__ import annotations

import pytest
import torch
from seq2seq_kit_conv.decoder import ConvDecoder, ConvDecoderConfig
from seq2seq_kit_conv.encoder import ConvEncoder, ConvEncoderConfig
from seq2seq_kit_conv.plugin import register_components
from torch import Tensor

from seq2seq_kit import Batch, ConfigError, Memory, MemorySpec, SearchOptions, SourceSpec, TargetSpec, UserError, search

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


def unroll(decoder: ConvDecoder, prefix: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
    """Scores [B, T, V] and attention [B, T, S'] of T steps."""
    state = decoder.init_state(memory, prefix.shape[0])
    scores, attention = [], []
    for t in range(prefix.shape[1]):
        output = decoder.step(prefix[:, t : t + 1], torch.full((prefix.shape[0],), t), state)
        state = state.advance(output)
        scores.append(output.scores)
        attention.append(output.attention)
    return torch.cat(scores, 1), torch.cat(attention, 1)


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


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("memory_size", [6, 10])
def test_steps_equal_forward(kernel: int, memory_size: int) -> None:
    decoder = make_decoder(MemorySpec(memory_size), kernel=kernel)
    memory = make_encoder(embedding_size=memory_size)(make_batch([5, 3, 1]))
    prefix = torch.cat([torch.ones(3, 1).long(), torch.randint(4, VOCABULARY, (3, 6))], 1)
    decoded = decoder(prefix, memory)
    scores, attention = unroll(decoder, prefix, memory)
    torch.testing.assert_close(scores, decoder.output(decoded.hidden, memory))
    torch.testing.assert_close(attention, decoded.attention)
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 7))
    assert not attention.masked_select(~memory.mask.unsqueeze(1)).any()


def test_a_position_sees_no_later_token() -> None:
    decoder, memory = make_decoder(), make_encoder()(make_batch([4]))
    first, second = torch.tensor([[1, 5, 6, 7]]), torch.tensor([[1, 5, 9, 8]])
    torch.testing.assert_close(decoder(first, memory).hidden[:, :2], decoder(second, memory).hidden[:, :2])
    assert not torch.allclose(decoder(first, memory).hidden[:, 2:], decoder(second, memory).hidden[:, 2:])


def test_hypotheses_do_not_mix() -> None:
    decoder, memory = make_decoder(), make_encoder()(make_batch([4, 2]))
    state = decoder.init_state(memory, 2).select(torch.zeros(2, 3, dtype=torch.long))  # K = 3
    tokens, position = torch.tensor([[4, 5, 6], [7, 8, 9]]), torch.zeros(2, dtype=torch.long)
    together = decoder.step(tokens, position, state)
    for k in range(3):
        single = decoder.step(tokens[:, k : k + 1], position, decoder.init_state(memory, 2))
        torch.testing.assert_close(together.scores[:, k : k + 1], single.scores)


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


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_engine_decodes_it_and_its_scores_are_those_of_forward(beam_size: int) -> None:
    encoder, decoder = make_encoder(), make_decoder()
    lengths = [5, 2, 4]
    with torch.inference_mode():
        memory = encoder(make_batch(lengths))
        options = SearchOptions(beam_size=beam_size, n_best=beam_size, max_length=8, length_penalty=0)
        found = search(decoder.step, decoder.init_state(memory, 3), options)
        for b, hypotheses in enumerate(found):
            for hypothesis in hypotheses:
                prefix = torch.tensor([[TARGET.bos_id, *hypothesis.tokens[:-1]]])
                one = Memory(memory.states[b : b + 1], memory.mask[b : b + 1])
                one.extras = {name: x[b : b + 1] for name, x in memory.extras.items()}
                scores = decoder.output(decoder(prefix, one).hidden, one).log_softmax(-1)[0]
                expected = scores[range(len(hypothesis.tokens)), hypothesis.tokens].sum()
                assert hypothesis.score == pytest.approx(float(expected), abs=1e-4)


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
