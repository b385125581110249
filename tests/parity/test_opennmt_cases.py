"""``semantics="opennmt"`` on OpenNMT-py's scripted beams.

At the length limit OpenNMT-py returns what lies in its beam as it is, so that searches with limits of 1, 2, … tokens
show the beam after each step.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions

FILE = Path(__file__).parents[3] / "shared" / "cases" / "opennmt_py_beam.json"
if not FILE.is_file():
    pytest.skip(f"{FILE} is not there", allow_module_level=True)
CASES = {case["name"]: case for case in json.loads(FILE.read_text())["cases"]}
VOCAB, EOS = 100, 2
pytestmark = pytest.mark.parametrize("by", ["reference", "engine"])


def options_of(name: str) -> SearchOptions:
    case = CASES[name]
    return SearchOptions(
        semantics="opennmt",
        beam_size=case["beam"],
        n_best=case["beam"],
        length_penalty=0.0,
        min_length=case.get("min_length", 0),
        no_repeat_ngram=case.get("ngram", 0),
        no_repeat_ngram_except=tuple(case.get("excluded", ())),
        bos_id=1,
        eos_ids=(EOS,),
        numerics="reference",
    )


def test_min_length_blocks_eos(by: str) -> None:
    name = "min_length_blocks_eos"
    options, values = options_of(name), CASES[name]["log_softmax"]
    words = [47, 51, 13, 88, 99]

    def script(prefix: list[int]) -> Tensor:
        if not prefix:
            return row(VOCAB, {EOS: values[0], **dict(zip(words, values[1:], strict=True))})
        slot = words.index(prefix[0])
        return row(VOCAB, {words[slot]: values[slot + 1], **({EOS: values[0]} if slot == 0 else {})})

    for step in range(options.min_length):
        beam = find(by, script, replace(options, max_length=step + 1, min_length=min(5, step + 1)))
        assert [each.tokens for each in beam] == [[word] * (step + 1) for word in words]
        expected = (step + 1) * torch.tensor(values[1:])
        torch.testing.assert_close(torch.tensor([each.log_prob for each in beam]), expected)

    beam = find(by, script, replace(options, max_length=options.min_length + 1))  # now EOS may come
    assert beam[0].tokens == [words[0]] * 5 + [EOS] and beam[0].finish == "eos"
    assert all(each.finish == "length" and EOS not in each.tokens for each in beam[1:])
    assert len(beam) == options.beam_size


def repeats(prefix: list[int]) -> Tensor:
    """47 for ever at no cost after -0.1; or 48, 49, 50, … after -2.3; or 7 for ever after -5."""
    if not prefix:
        return row(VOCAB, {47: -0.1, 48: -2.3, 7: -5.0})
    next_token = prefix[-1] + 1 if prefix[0] == 48 else prefix[0]
    return row(VOCAB, {next_token: 0.0})


def without_7(prefix: list[int]) -> Tensor:
    return repeats(prefix) if prefix else row(VOCAB, {47: -0.1, 48: -2.3})


def test_some_repeats_get_blocked(by: str) -> None:
    options = options_of("some_repeats_get_blocked")
    for step in range(7):
        beam = find(by, without_7, replace(options, max_length=step + 1))
        sums = [each.log_prob for each in beam]
        assert sums == pytest.approx([-0.1, -2.3] if step < 3 else [-2.3])
        assert beam[-1].tokens == list(range(48, 49 + step))
    if by == "reference":  # what is blocked is the token, not its share of the probability
        assert len(find(by, without_7, replace(options, max_length=7, no_repeat_ngram=0))) == 2


def test_excluded_token_may_repeat(by: str) -> None:
    options = options_of("excluded_token_may_repeat")
    for step in range(7):
        beam = find(by, repeats, replace(options, max_length=step + 1))
        sums = [each.log_prob for each in beam]
        assert sums == pytest.approx([-0.1, -2.3, -5.0] if step < 3 else [-2.3, -5.0])
        assert beam[-1].tokens == [7] * (step + 1)


def test_all_repeat(by: str) -> None:
    """OpenNMT-py goes on with blocked tokens at a sum of -1e20 where nothing else is left; here no way on is left."""
    options = options_of("all_repeat")

    def script(prefix: list[int]) -> Tensor:
        return row(VOCAB, {47: 0.0}) if prefix else row(VOCAB, {47: -0.1})

    for step in range(7):
        beam = find(by, script, replace(options, max_length=step + 1))
        assert [each.tokens for each in beam] == ([[47] * (step + 1)] if step < 3 else [])
