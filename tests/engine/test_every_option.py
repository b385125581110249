"""What holds for every option and semantics: the same results in any batch, and by fast numerics but for near-ties."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from table_step import TableStep

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import Automaton, SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search

SENTENCES, VOCABULARY, NEAR_TIE = 64, 40, 1e-5

OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {"beam_size": 1},
    "beam": {},
    "lengths": {"min_new_tokens": 3, "max_new_tokens": 9, "max_length_ratio": 1.5, "max_length_margin": 1},
    "length decay": {"length_decay_start": 2, "length_decay_factor": 1.2},
    "GNMT length penalty": {"length_penalty": 0.8, "length_penalty_offset": 5.0},
    "word and brevity penalty": {"word_penalty": -0.4, "brevity_penalty": 1.5, "brevity_ratio": 1.2},
    "coverage, Wu": {"coverage_penalty": 0.3},
    "coverage, See": {"coverage_penalty": 0.3, "coverage": "see"},
    "unknown words": {"unk_penalty": 2.0},
    "stop, enough": {"stop": "enough", "patience": 0.5},
    "stop, first": {"stop": "first"},
    "stop, all": {"stop": "all"},
    "n-grams": {"no_repeat_ngram": 2, "no_repeat_ngram_except": (7,), "no_repeat_ngram_source": 2},
    "repetition": {"repetition_penalty": 1.4, "repetition_penalty_source": 1.2},
    "bad words": {"bad_words": ((5,), (8, 9)), "sequence_bias": (((6,), 0.7), ((7, 10), -1.5))},
    "suppression": {"suppress": (11, 12), "suppress_at_start": (13,), "forced_first": 14},
    "favoured prefix": {"prefix_bias": 0.4},
    "samples": {"sampling": "tokens", "seed": 3},
    "samples, cut": {"sampling": "tokens", "seed": 3, "temperature": 1.3, "top_k": 12, "top_p": 0.9, "min_p": 0.01},
    "samples, top-H": {"sampling": "tokens", "seed": 3, "top_h": 0.6},
    "samples, typical": {"sampling": "tokens", "seed": 3, "typical_p": 0.8, "epsilon": 0.001, "eta": 0.01},
    "drawn beams": {"sampling": "beams", "seed": 3},
    "groups": {"groups": 2, "diversity_penalty": 0.8},
    "siblings": {"sibling_penalty": 0.4},
    "alternatives": {"alternatives": True},
    "hf": {"semantics": "hf"},
    "hf, greedy": {"semantics": "hf", "beam_size": 1, "repetition_penalty": 1.3},
    "hf, enough": {"semantics": "hf", "stop": "enough", "no_repeat_ngram": 2},
    "hf, longest": {"semantics": "hf", "stop": "longest", "length_penalty": 1.4},
    "ct2": {"semantics": "ct2", "repetition_penalty": 1.2, "patience": 2.0},
    "fairseq": {"semantics": "fairseq", "unk_penalty": 1.0},
    "opennmt": {"semantics": "opennmt", "no_repeat_ngram": 2},
    "marian": {"semantics": "marian", "word_penalty": 0.2},
    "sockeye": {"semantics": "sockeye", "length_penalty_offset": 5.0},
    "joey": {"semantics": "joey"},
}
PREFIXED = {"beam", "favoured prefix", "groups", "alternatives", "hf", "ct2", "fairseq"}


def options_of(case: str, **changes: Any) -> SearchOptions:
    given = {"beam_size": 4, "max_length": 14, "bos_id": 0, "eos_ids": (2,), **OPTIONS[case], **changes}
    return SearchOptions(n_best=given["beam_size"], **given)


@cache
def step() -> TableStep:
    table = torch.randn(SENTENCES, 211, VOCABULARY, generator=torch.Generator().manual_seed(1)) * 2
    table[:, :, 2] += 2  # hypotheses end at many different lengths, so that batches shrink
    return TableStep(table)


def inputs(case: str) -> list[SentenceInput]:
    """Each sentence has its own length, source, prefix and key; every fourth an automaton."""
    chance = random.Random(7)
    sentences = []
    for key in range(SENTENCES):
        source = tuple(chance.randrange(3, VOCABULARY) for _ in range(chance.randrange(2, 9)))
        prefix = tuple(chance.randrange(15, VOCABULARY) for _ in range(chance.randrange(3))) if case in PREFIXED else ()
        every = {token: 0 for token in range(3, VOCABULARY) if token % 3}
        automaton = Automaton([every], frozenset({0})) if case == "beam" and key % 4 == 0 and not prefix else None
        sentences.append(SentenceInput(len(source), source, prefix, automaton=automaton, key=key))
    return sentences


def run(case: str, sentences: list[int], options: SearchOptions, shrink: bool = True) -> list[list[Hypothesis]]:
    chosen = inputs(case)
    return search(step(), step().state(sentences), options, sentences=[chosen[i] for i in sentences], _shrink=shrink)


@pytest.mark.parametrize("case", OPTIONS)
def test_a_sentence_gets_the_same_in_any_batch(case: str) -> None:
    """Bit for bit: alone, among 7 and among 64, shuffled, with and without shrinking."""
    options = options_of(case, numerics="fast")
    order = list(range(SENTENCES))
    whole = run(case, order, options)
    assert any(whole)
    random.Random(case).shuffle(order)
    for size in (1, 7, 64):
        for shrink in (True, False):
            for start in range(0, SENTENCES, size):
                chosen = order[start : start + size]
                assert run(case, chosen, options, shrink) == [whole[i] for i in chosen]


@pytest.mark.parametrize("case", OPTIONS)
def test_fast_numerics_find_what_the_reference_finds(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    order = list(range(SENTENCES))
    options = options_of(case, numerics="fast")
    fast, reference = run(case, order, options), run(case, order, replace(options, numerics="reference"))
    ties = 0
    for one, other in zip(fast, reference, strict=True):
        if [h.tokens for h in one] == [h.tokens for h in other]:
            assert [h.score for h in one] == pytest.approx([h.score for h in other], abs=NEAR_TIE)
            continue
        ties += 1
        gaps = [abs(a.score - b.score) for a, b in zip(one, other, strict=True)]
        assert max(gaps) < NEAR_TIE, "not a near-tie"
    with capsys.disabled():
        if ties:
            print(f" [{case}: {ties} near-ties among {SENTENCES} lists]", end="")
    assert ties <= SENTENCES / 20
