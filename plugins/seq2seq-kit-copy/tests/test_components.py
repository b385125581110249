"""The decoder and the attention: contracts, what is copied and what is written, sums that brute force confirms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from seq2seq_kit_copy.coverage import CoverageAttention, CoverageAttentionConfig, coverage_loss
from seq2seq_kit_copy.decoder import CopyDecoder, CopyDecoderConfig, mixture
from seq2seq_kit_copy.plugin import register_components
from torch import Tensor

from seq2seq_kit import ConfigError, Memory, MemorySpec, SearchOptions, TargetSpec, UserError, search
from seq2seq_kit.testing import check_attention, check_decoder

TARGET = TargetSpec(9)
SPEC = MemorySpec(8, {"h": (1, 8)})
LSTM = {"name": "lstm", "embedding_size": 5, "size": 8}
COVERAGE = {**LSTM, "attention": {"name": "coverage", "size": 6}}
TRANSFORMER = {"name": "transformer", "size": 8, "layers": 1, "heads": 2, "feed_forward_size": 16}


def make_decoder(inner: dict[str, Any], **options: Any) -> CopyDecoder:
    torch.manual_seed(1)
    decoder = CopyDecoder(CopyDecoderConfig(decoder=inner, **options), TARGET, SPEC).eval()
    with torch.no_grad():  # lively, so that hypotheses differ
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return decoder


def make_memory(copies: list[list[int]], width: int | None = None) -> Memory:
    """Random states for sources whose positions hold these target ids."""
    torch.manual_seed(2)
    longest = width or max(map(len, copies))
    most = max(max(ids) for ids in copies) - TARGET.vocab_size + 1
    padded = torch.full((len(copies), longest), -1)
    own_words = torch.zeros(len(copies), max(0, most), dtype=torch.bool)
    states = torch.zeros(len(copies), longest, 8)
    for b, ids in enumerate(copies):
        padded[b, : len(ids)] = torch.tensor(ids)
        own_words[b, : max(0, max(ids) - TARGET.vocab_size + 1)] = True
        states[b, : len(ids)] = torch.randn(len(ids), 8, generator=torch.Generator().manual_seed(sum(ids)))
    mask = torch.arange(longest) < torch.tensor([len(ids) for ids in copies]).unsqueeze(1)
    final = {"h": states[:, :1]}
    return Memory(states, mask, final, {"copies": padded, "own_words": own_words})


@pytest.mark.parametrize(
    "inner",
    [LSTM, {**COVERAGE, "name": "gru", "query": "previous", "input_feeding": True}, TRANSFORMER],
)
def test_the_decoder_keeps_its_contract(inner: dict[str, Any]) -> None:
    report = check_decoder(make_decoder(inner, coverage_loss=1.0), SPEC, target=TARGET)
    verdicts = {finding.check: finding.verdict for finding in report.findings}
    assert verdicts["copying"] == verdicts["device"] == verdicts["dtype"] == "ok"


def test_the_attention_keeps_its_contract() -> None:
    torch.manual_seed(3)
    check_attention(CoverageAttention(CoverageAttentionConfig(size=6), 4, MemorySpec(5)), MemorySpec(5), query_size=4)


# --- What is copied ---------------------------------------------------------------------------------------------------

SCORES = torch.tensor([[[0.5, 1.0, -1.0, 0.0, 0.3]]])  # four words, and p
ATTENTION = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]])


def probabilities(copies: list[int], own_words: list[bool], attention: Tensor = ATTENTION) -> Tensor:
    return (
        mixture(SCORES, attention, torch.tensor([copies]), torch.tensor([own_words], dtype=torch.bool)).exp().flatten()
    )


def test_words_are_written_and_copied_as_p_says() -> None:
    found = probabilities([2, 5, 2, 4], [True, True])
    p = torch.sigmoid(torch.tensor(0.3))
    written = p * torch.softmax(SCORES[0, 0, :4], 0)
    expected = torch.cat([written, torch.zeros(2)])
    for word, weight in zip([2, 5, 2, 4], [0.1, 0.2, 0.3, 0.4], strict=True):  # equation 9
        expected[word] += (1 - p) * weight
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(), torch.tensor(1.0))


def test_what_attention_puts_on_no_word_is_written() -> None:
    p = torch.sigmoid(torch.tensor(0.3))
    found = probabilities([-1, -1, 3, -1], [])
    torch.testing.assert_close(found.sum(), torch.tensor(1.0))
    torch.testing.assert_close(found[0], (1 - 0.3 * (1 - p)) * torch.softmax(SCORES[0, 0, :4], 0)[0])
    nothing = probabilities([-1, -1, -1, -1], [], torch.zeros_like(ATTENTION))  # an empty source
    torch.testing.assert_close(nothing, torch.softmax(SCORES[0, 0, :4], 0))


def test_the_words_of_other_sentences_are_impossible_and_no_loss_is_infinite() -> None:
    log_probs = mixture(
        SCORES, torch.tensor([[[1.0, 0, 0, 0]]]), torch.tensor([[0, 4, 4, 4]]), torch.tensor([[True, False]])
    )
    assert log_probs[0, 0, 5] == -torch.inf and log_probs[0, 0, :5].isfinite().all()
    assert log_probs[0, 0, 4] < -80  # the source has it, and attention is elsewhere


def test_it_trains_in_bfloat16() -> None:
    decoder, memory = make_decoder(COVERAGE, coverage_loss=1.0).train(), make_memory([[4, 9, -1], [5, 6, -1]])
    with torch.autocast("cpu", torch.bfloat16):
        decoded = decoder(torch.tensor([[1, 4, 9], [1, 5, 6]]), memory)
        scores = decoder.output(decoded.hidden, memory)
    (decoded.losses["coverage"] - scores[:, :, 4].sum()).backward()
    assert scores.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in decoder.parameters())


@pytest.mark.parametrize("inner", [LSTM, COVERAGE, TRANSFORMER])
@pytest.mark.parametrize("sampling", ["off", "tokens"])
def test_a_sentence_is_decoded_alike_with_others_that_have_more_words(inner: dict[str, Any], sampling: str) -> None:
    decoder, sources = make_decoder(inner), [[4, 9, 10, 9, -1], [9, -1], [-1], [5, 9, 10, 11, 12, 13, -1]]
    options = SearchOptions(beam_size=3, n_best=3, max_length=6, sampling=sampling, seed=5)  # type: ignore[arg-type]
    with torch.inference_mode():
        memory = make_memory(sources, width=9)
        together = search(decoder.step, decoder.init_state(memory, len(sources)), options)
        for b, source in enumerate(sources):
            one = make_memory([source])
            [alone] = search(decoder.step, decoder.init_state(one, 1), options)
            if sampling == "off":  # samples are those of a sentence's place
                assert [h.tokens for h in alone] == [h.tokens for h in together[b]]
                assert [h.score for h in alone] == pytest.approx([h.score for h in together[b]], abs=1e-4)
            own = max(source) - 8 if source != [-1] else 0
            assert max(token for h in together[b] for token in h.tokens) < TARGET.vocab_size + max(0, own)
    assert any(token >= TARGET.vocab_size for found in together for h in found for token in h.tokens)


def test_an_encoder_can_share_the_embedding() -> None:
    decoder = make_decoder(LSTM)
    assert isinstance(decoder.embedding, torch.nn.Embedding) and decoder.embedding.num_embeddings == 10


def test_scheduled_sampling_takes_two_passes_where_the_inner_decoder_is_parallel() -> None:
    assert make_decoder(TRANSFORMER).parallel and not make_decoder(LSTM).parallel


# --- Coverage ---------------------------------------------------------------------------------------------------------


def test_coverage_is_what_was_looked_at_so_far() -> None:
    torch.manual_seed(3)
    attention = CoverageAttention(CoverageAttentionConfig(size=6), 4, MemorySpec(5))
    mask = torch.arange(6) < torch.tensor([6, 2]).unsqueeze(1)
    projected = attention.project(Memory(torch.randn(2, 6, 5), mask))
    state, query = attention.init_state(projected), torch.randn(2, 1, 4)
    _, first, state = attention(query, projected, state)
    _, second, state = attention(query, projected, state)
    torch.testing.assert_close(state["coverage"], first + second)
    assert not torch.allclose(first, second) and not second[1, 0, 2:].any()


def test_the_loss_is_the_overlap_with_what_was_looked_at_before() -> None:
    attention = torch.randn(2, 4, 3).softmax(-1)
    real = torch.tensor([[True, True, True, True], [True, True, False, False]])
    expected = 0.0
    for b in range(2):
        for t in range(int(real[b].sum())):
            for i in range(3):
                expected += min(float(attention[b, t, i]), float(attention[b, :t, i].sum()))
    assert float(coverage_loss(attention, real)) == pytest.approx(expected, abs=1e-5)


def test_the_decoder_adds_it_over_the_positions_that_have_labels() -> None:
    memory = make_memory([[4, 9, -1], [5, 6, -1]])
    decoder = make_decoder(COVERAGE, coverage_loss=0.5)
    prefix = torch.tensor([[1, 4, 9, 5], [1, 4, 2, 0]])  # labels 4 9 5 EOS, and 4 EOS
    decoded = decoder(prefix, memory)
    real = torch.tensor([[True] * 4, [True, True, False, False]])
    torch.testing.assert_close(decoded.losses["coverage"], 0.5 * coverage_loss(decoded.attention, real))
    assert not make_decoder(COVERAGE)(prefix, memory).losses


# --- Refusals ---------------------------------------------------------------------------------------------------------


def test_refusals_say_why() -> None:
    memory, decoder = make_memory([[4, 9, -1]]), make_decoder(LSTM)
    with pytest.raises(ConfigError, match="needs an encoder"):
        CopyDecoder(CopyDecoderConfig(decoder=LSTM), TARGET, None)
    with pytest.raises(UserError, match="without a memory"):
        decoder.init_state(None, 1)
    with pytest.raises(UserError, match=r"the task must be \(copying: true\)"):
        decoder.init_state(replace(memory, extras={}), 1)
    with pytest.raises(UserError, match="makes 2 positions of 3 source tokens"):
        decoder.init_state(replace(memory, states=memory.states[:, :2], mask=memory.mask[:, :2]), 1)
    blind = make_decoder({**LSTM, "attention": "none"})
    with pytest.raises(ConfigError, match="'lstm', as it is configured, does not say where"):
        blind(torch.ones(1, 2).long(), memory)
    with pytest.raises(ConfigError, match="gives log-probabilities"):
        make_decoder({"name": "copy", "decoder": LSTM})


def test_what_is_declared_can_be_loaded() -> None:
    for component in register_components():
        assert component.load_config()().name == component.name
        assert component.load().__name__.lower() == component.name + component.kind
