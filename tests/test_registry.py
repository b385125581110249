"""Finding components by name: bare, qualified, ambiguous, unknown."""

from __future__ import annotations

import pluggy
import pytest

from seq2seq_kit.components import Component
from seq2seq_kit.errors import PluginError
from seq2seq_kit.plugins import BrokenPlugin, Plugins, Provided, Provider
from seq2seq_kit.registry import Registry

OURS, THEIRS = Provider("seq2seq-kit", "0.1.0", "builtin"), Provider("my-pack", "2.0", "main")


def declare(kind: str, name: str, provider: Provider = OURS) -> Provided:
    return Provided(Component(kind, name, "collections:OrderedDict"), provider)


@pytest.fixture
def plugins() -> Plugins:
    provided = [
        declare("encoder", "lstm"),
        declare("decoder", "lstm"),
        declare("decoder", "gru"),
        declare("attention", "luong"),
        declare("decoder", "gru", THEIRS),
        declare("decoder", "conv", THEIRS),
    ]
    return Plugins(pluggy.PluginManager("test"), [OURS, THEIRS], provided)


@pytest.fixture
def registry(plugins: Plugins) -> Registry:
    return Registry(plugins)


def refusal(registry: Registry, kind: str, name: str) -> str:
    with pytest.raises(PluginError) as refused:
        registry.find(kind, name)
    return str(refused.value)


def test_a_bare_name_finds_what_is_unique_within_its_kind(registry: Registry) -> None:
    assert registry.find("decoder", "conv").provider == THEIRS
    assert registry.find("decoder", "lstm").component.kind == "decoder"
    assert [p.component.kind for p in registry.find_all("lstm")] == ["encoder", "decoder"]


@pytest.mark.parametrize("name", ["my-pack/gru", "my_pack/gru", "My.Pack/gru"])
def test_a_qualified_name_always_finds_its_component(registry: Registry, name: str) -> None:
    assert registry.find("decoder", name).provider == THEIRS


def test_an_ambiguous_name_is_refused_with_both_providers(registry: Registry) -> None:
    message = refusal(registry, "decoder", "gru")
    assert message == (
        "decoder 'gru' is provided by seq2seq-kit 0.1.0 and my-pack 2.0; write 'seq2seq-kit/gru' or 'my-pack/gru'"
    )
    assert registry.names("decoder") == ["conv", "lstm", "my-pack/gru", "seq2seq-kit/gru"]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("lsmt", "did you mean 'lstm'?"),
        ("LSTM", "did you mean 'lstm'?"),
        ("my-pack/cnov", "did you mean 'my-pack/conv'?"),
        ("luong", "'luong' is of the kind attention"),
        ("zzz", "(there is: conv, lstm, my-pack/gru, seq2seq-kit/gru)"),
        ("other-pack/conv", "other-pack is not installed here: pip install other-pack"),
    ],
)
def test_an_unknown_name_says_what_there_is_and_how_to_get_it(registry: Registry, name: str, suggestion: str) -> None:
    message = refusal(registry, "decoder", name)
    assert message.startswith(f"unknown decoder {name!r}")
    assert suggestion in message


def test_an_unknown_name_may_be_a_broken_or_disabled_plugins(plugins: Plugins) -> None:
    plugins.broken.append(BrokenPlugin(Provider("bad", "1.0", "main"), "ImportError: no luck"))
    plugins.disabled.append("off")
    registry = Registry(plugins)
    for name in ("conf", "bad/x"):
        assert "plugin 'main' of bad 1.0 cannot be used: ImportError: no luck" in refusal(registry, "decoder", name)
    for name in ("conf", "off/x"):
        assert "off is disabled by S2S_DISABLE_PLUGINS" in refusal(registry, "decoder", name)
    assert "disabled" not in refusal(registry, "decoder", "bad/x")
    assert "pip install" not in refusal(registry, "decoder", "off/x")


def test_an_unknown_kind_is_refused(registry: Registry) -> None:
    assert refusal(registry, "enocder", "lstm").startswith("unknown kind 'enocder'; the kinds are encoder, ")


def test_a_program_registers_its_own_and_may_do_so_again(registry: Registry) -> None:
    for target in (dict, list):
        registry.register(Component("schedule", "mine", target))
    assert registry.find("schedule", "mine").load() is list
    assert registry.find("schedule", "script/mine").load_config() is None


def test_nothing_shadows_a_built_in_silently(registry: Registry) -> None:
    registry.register(Component("attention", "luong", dict))
    assert "'seq2seq-kit/luong' or 'script/luong'" in refusal(registry, "attention", "luong")
