"""The presets: one a semantics, each a search that the engine takes."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from support.scripted_step import ScriptedStep, row

from seq2seq_kit.decoding.options import Semantics
from seq2seq_kit.decoding.presets import preset
from seq2seq_kit.decoding.search import check_options, search
from seq2seq_kit.errors import SearchError


@pytest.mark.parametrize("name", get_args(Semantics))
def test_every_semantics_has_one_that_can_be_searched_with(name: str) -> None:
    options = preset(name)
    assert options.semantics == name
    check_options(options)
    step = ScriptedStep(lambda prefix: row(4, {2: -1.0, 0: -0.5} if len(prefix) < 2 else {2: 0.0}))
    [[best, *_]] = search(step, step.state(), options, source_lengths=[4])
    assert best.tokens[-1] == 2  # EOS


def test_unknown_words_are_marians_only_ban() -> None:
    step = ScriptedStep(lambda prefix: row(4, {3: -0.1, 0: -1.0} if not prefix else {2: 0.0}))
    found = {
        name: search(step, step.state(), replace(preset(name), min_length=0), source_lengths=[4])[0][0].tokens
        for name in ("fairseq", "marian")
    }
    assert found == {"fairseq": [3, 2], "marian": [0, 2]}


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(SearchError, match=r"preset 'fairsec': must be one of 'kit', 'hf', .*did you mean 'fairseq'"):
        preset("fairsec")
