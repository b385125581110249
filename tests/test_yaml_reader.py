"""What YAML texts mean to us."""

from __future__ import annotations

import pytest
import yaml

from seq2seq_kit.yaml_reader import read_yaml


def test_an_exponent_makes_a_number_with_or_without_a_dot() -> None:
    assert read_yaml("[1e-3, -2E5, 1.5e2, 12, 1e, e3, '1e-3']") == [0.001, -2e5, 150.0, 12, "1e", "e3", "1e-3"]


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "x: {a: 1, a: 1}\n"])
def test_a_key_given_twice_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match=r"(?s)'a' is given twice.*line \d"):
        read_yaml(text)


def test_merging_still_works() -> None:
    assert read_yaml("base: &b {a: 1, c: 2}\nx: {<<: *b, a: 3}")["x"] == {"a": 3, "c": 2}


def test_nothing_but_plain_values_is_ever_made() -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml("!!python/object/apply:os.system ['true']")
