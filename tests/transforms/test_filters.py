"""Filters: each leaves out what it says, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seq2seq_kit.config import validate
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.errors import ConfigError, DataError
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform
from seq2seq_kit.registry import build

GENERATOR = np.random.default_rng(0)


def filter_of(section: dict[str, Any] | str, task: Task | None = None) -> Transform:
    values = {"train": ["a"], "dev": ["a"], "filters": [section]}
    return build("transform", validate(DataConfig, values, "test").filters[0], task)


def kept(section: dict[str, Any] | str, *pairs: tuple[str, str]) -> list[tuple[str, str]]:
    chosen = filter_of(section)
    return [pair for pair in pairs if chosen.on_text(Example(*pair), GENERATOR) is not None]


def test_length_in_words_and_characters() -> None:
    short, long = ("a b", "c"), ("a b c d", "e f")
    assert kept({"name": "length", "max": 3}, short, long) == [short]
    assert kept({"name": "length", "min": 2}, short, long) == [long]
    assert kept({"name": "length", "max": 7, "unit": "characters"}, short, long, ("a" * 8, "b")) == [short, long]


def test_length_and_ratio_in_tokens_look_at_ids() -> None:
    text = Example("a", "b")
    for section in ({"name": "length", "max": 3, "unit": "tokens"}, {"name": "ratio", "max": 3, "unit": "tokens"}):
        chosen = filter_of(section)
        assert chosen.on_text(Example("a b c d", "e"), GENERATOR) is not None
        assert chosen.on_ids(EncodedExample([4, 5, 2], [2]), text, GENERATOR) is not None
        assert chosen.on_ids(EncodedExample([4, 5, 6, 2], [2]), text, GENERATOR) is None


def test_ratio_either_way() -> None:
    pairs = [("a b c", "d"), ("a b c d", "e"), ("a", "b c d e"), ("", "b")]
    assert kept({"name": "ratio", "max": 3}, *pairs) == pairs[:1]


def test_duplicates_of_pairs_sources_or_targets() -> None:
    pairs = [("a", "b"), ("a", "c"), ("d", "b"), ("a", "b")]
    assert kept("duplicates", *pairs) == pairs[:3]
    assert kept({"name": "duplicates", "same": "source"}, *pairs) == [pairs[0], pairs[2]]
    assert kept({"name": "duplicates", "same": "target"}, *pairs) == pairs[:2]
    assert kept("duplicates", ("ab", "c"), ("a", "bc")) == [("ab", "c"), ("a", "bc")]


def test_copies() -> None:
    assert kept("copies", ("A  b", "a B"), ("a", "b")) == [("a", "b")]


def test_a_field_has_one_of_the_values() -> None:
    chosen = filter_of({"name": "field", "field": "lang", "values": ["fr", "de"]})
    assert chosen.on_text(Example("a", "b", extras={"lang": "fr"}), GENERATOR) is not None
    assert chosen.on_text(Example("a", "b", extras={"lang": "en"}), GENERATOR) is None
    with pytest.raises(DataError, match=r"example 7 has no field 'lang'.*task\.extra_fields"):
        chosen.on_text(Example("a", "b", id=7), GENERATOR)


def test_a_wrong_option_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"filters\.max|filters\.0\.max|max: "):
        filter_of({"name": "ratio", "max": 0.5})
    with pytest.raises(ConfigError, match="did you mean 'duplicates'"):
        filter_of("duplicate")
