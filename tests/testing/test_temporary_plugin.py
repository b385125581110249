"""A plugin for the length of a test: found by its names within the context, gone after it."""

from __future__ import annotations

import pytest

from seq2seq_kit import Component, ComponentConfig, PluginError, UserError
from seq2seq_kit.metrics.exact import ExactMatch
from seq2seq_kit.registry import registry
from seq2seq_kit.testing import temporary_plugin


class MineConfig(ComponentConfig):
    name: str = "mine"


MINE = Component("metric", "mine", ExactMatch, MineConfig)


def test_its_components_are_found_within_the_context_only() -> None:
    with temporary_plugin(MINE, distribution="My_Plugin", version="2.1"):
        found = registry().find("metric", "mine")
        assert found == registry().find("metric", "my-plugin/mine")
        assert found.load() is ExactMatch and str(found.provider) == "my-plugin 2.1"
    with pytest.raises(PluginError, match="unknown metric 'mine'"):
        registry().find("metric", "mine")


def test_they_are_gone_after_a_failure_too() -> None:
    with pytest.raises(ZeroDivisionError), temporary_plugin(MINE):
        _ = 1 / 0
    with pytest.raises(PluginError, match="unknown metric 'mine'"):
        registry().find("metric", "mine")


def test_two_can_be_there_and_a_shared_name_must_be_qualified() -> None:
    with temporary_plugin(MINE, distribution="one"), temporary_plugin(MINE, distribution="two"):
        with pytest.raises(PluginError, match="provided by one 0 and two 0; write 'one/mine' or 'two/mine'"):
            registry().find("metric", "mine")
        assert registry().find("metric", "two/mine").provider.distribution == "two"


def test_what_cannot_be_a_plugin_gets_a_sentence() -> None:
    with (
        pytest.raises(PluginError, match="one 0 has the metric 'mine' already"),
        temporary_plugin(MINE, MINE, distribution="one"),
    ):
        pass
    with pytest.raises(UserError, match="is given no Component"), temporary_plugin():
        pass
    with pytest.raises(UserError, match="give Component objects"), temporary_plugin(ExactMatch):  # type: ignore[arg-type]
        pass
