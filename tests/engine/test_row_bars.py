"""What options bar of a native step is barred without its rows: the same search as with whole rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from native_steps import assert_same, most_bytes_at_a_time, native_step
from tiny_models import lengths_mask

from seq2seq_kit.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import NativeStep, search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import Memory, MemorySpec, TargetSpec

VOCABULARY, EOS, PAD = 700, 2, 0
LENGTHS = [5, 2, 3, 7, 1]
OPUS = {"semantics": "hf", "bad_words": ((PAD,),), "forced_last": EOS}
"""What Hugging Face's Marian models are decoded with."""
RULES: dict[str, dict[str, Any]] = {
    "Marian": OPUS,
    "Marian, greedy": OPUS | {"beam_size": 1},
    "Marian, least length": OPUS | {"min_new_tokens": 4},
    "Marian, by ct2": OPUS | {"semantics": "ct2", "min_new_tokens": 4},
    "n-grams": {"no_repeat_ngram": 2},
    "n-grams, greedy hf": {"no_repeat_ngram": 2, "semantics": "hf", "beam_size": 1},
    "n-grams of the source": {"no_repeat_ngram_source": 1},
    "bad phrases": {"bad_words": ((5,), (8, 9)), "sequence_bias": (((6,), float("-inf")),)},
    "suppression": {"suppress": (11, 12), "suppress_at_start": (13,)},
    "the end suppressed": {"semantics": "hf", "forced_last": EOS, "suppress": (EOS,)},
    "many": {"suppress": tuple(range(20, 120))},
    "very many": {"suppress": tuple(range(20, 220))},
    "forced": {"forced_first": 14, "forced_last": EOS},
    "forced, hf": {"semantics": "hf", "forced_first": 14, "forced_last": EOS},
    "a limit for each": {"semantics": "hf", "forced_last": EOS, "max_length_ratio": 1.0, "max_length_margin": 1},
    "a favoured prefix": {"prefix_bias": 0.4},
    "marian": {"semantics": "marian", "no_repeat_ngram": 2},
    "fairseq": {"semantics": "fairseq", "suppress": (11,), "min_length": 5},
}


@pytest.fixture(scope="module")
def decoder() -> TransformerDecoder:
    torch.manual_seed(3)
    config = TransformerDecoderConfig(size=16, layers=1, heads=2, feed_forward_size=20, tie_embeddings=False)
    decoder = TransformerDecoder(config, TargetSpec(VOCABULARY), MemorySpec(6)).eval()
    with torch.no_grad():
        assert decoder.output_layer is not None
        decoder.output_layer.weight.normal_()
        decoder.output_layer.weight[20:].mul_(0.5)  # the first ones come often
        decoder.output_layer.bias.zero_()
        decoder.output_layer.bias[[EOS, PAD, 5, 6, 8, 11]] = 3.0
    return decoder


@pytest.fixture
def step(decoder: TransformerDecoder) -> NativeStep:
    return native_step(decoder, memory())


def memory() -> Memory:
    mask = lengths_mask(LENGTHS)
    return Memory(torch.randn(*mask.shape, 6, generator=torch.Generator().manual_seed(4)), mask)


def options_of(case: str) -> SearchOptions:
    rules = {"beam_size": 4, "max_length": 12, "eos_ids": (EOS,), **RULES[case]}
    return SearchOptions(n_best=rules["beam_size"], **rules)


def sentences_of(case: str) -> list[SentenceInput]:
    prefix = (5, 9) if "prefix_bias" in RULES[case] else ()
    return [
        SentenceInput(source_length=n, source=tuple(range(3, 3 + n)), prefix=prefix, key=i)
        for i, n in enumerate(LENGTHS)
    ]


@pytest.mark.parametrize("case", RULES)
def test_the_same_as_with_whole_rows(step: NativeStep, case: str) -> None:
    options, sentences = options_of(case), sentences_of(case)
    found = search(step, options=options, sentences=sentences)
    assert any(found) or case == "the end suppressed"
    expected = search(step, options=replace(options, numerics="reference"), sentences=sentences)
    assert_same(found, expected)
    for own, other in zip(found, expected, strict=True):
        for one, two in zip(own, other, strict=True):
            if one.tokens == two.tokens:
                assert one.token_log_probs == pytest.approx(two.token_log_probs, abs=1e-4)


@pytest.mark.parametrize("case", ["Marian", "Marian, greedy", "Marian, least length", "n-grams", "suppression"])
def test_no_row_of_scores_is_made(step: NativeStep, case: str) -> None:
    assert most_bytes_at_a_time(step, len(LENGTHS), "fast", **RULES[case]) < 4 * VOCABULARY


@pytest.mark.parametrize("case", ["Marian", "Marian, greedy", "n-grams", "n-grams, greedy hf", "a limit for each"])
def test_the_batch_changes_no_bit(decoder: TransformerDecoder, case: str) -> None:
    options, sentences = options_of(case), sentences_of(case)
    whole = memory()
    expected = search(native_step(decoder, whole), options=options, sentences=sentences)
    for i, length in enumerate(LENGTHS):
        alone = Memory(whole.states[i : i + 1, :length], whole.mask[i : i + 1, :length])
        assert search(native_step(decoder, alone), options=options, sentences=[sentences[i]]) == [expected[i]]


def test_scores_that_are_no_numbers_are_found_where_they_are_barred(decoder: TransformerDecoder) -> None:
    assert decoder.output_layer is not None
    before = decoder.output_layer.bias.detach().clone()
    for semantics, beams in (("hf", 1), ("hf", 4), ("kit", 4)):
        with torch.no_grad():
            decoder.output_layer.bias[PAD] = torch.nan
        options = SearchOptions(beams, semantics=semantics, bad_words=((PAD,),), eos_ids=(EOS,))  # type: ignore[arg-type]
        memory = Memory(torch.zeros(1, 2, 6), torch.ones(1, 2, dtype=torch.bool))
        try:
            with pytest.raises(SearchError, match="NaN"):
                search(native_step(decoder, memory), options=options, batch_size=1)
        finally:
            with torch.no_grad():
                decoder.output_layer.bias.copy_(before)
