"""A plugin that was built against release 0.1.0 goes on working, and so does a run that was trained with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
import pytest
import typer
from support.fake_site import FakeSite

from seq2seq_kit import MemorySpec, TargetSpec, hookspecs
from seq2seq_kit.components import KINDS
from seq2seq_kit.plugins import Plugins, Provider
from seq2seq_kit.registry import registry
from seq2seq_kit.run_config import load_config
from seq2seq_kit.testing import check_decoder, check_golden, temporary_plugin
from seq2seq_kit.training.runs import train

FROZEN = Path(__file__).with_name("frozen")
VERSION = "0.1.0"


@pytest.fixture(scope="module")
def plugin() -> Iterator[ModuleType]:
    """Its module, with its components lent to this process as those of an installed distribution."""
    registry()  # loaded before the plugin is in reach: an installed one would be in the way of the lent one
    sys.path.insert(0, str(FROZEN))
    try:
        module = import_module("s2s_frozen.plugin")
        with temporary_plugin(*module.register_components(), distribution="s2s-frozen", version=VERSION):
            yield module
    finally:
        sys.path.remove(str(FROZEN))


def test_it_is_found_and_its_command_is_added() -> None:
    done = FakeSite(FROZEN).s2s("thaw", S2S_PLUGINS_STRICT="1")
    assert (done.returncode, done.stdout) == (0, "drip\n"), done.stderr


def test_hooks_may_gain_arguments(plugin: ModuleType) -> None:
    """It is called with the arguments that its functions name, whatever others a later kit gives."""
    later = ModuleType("later")
    for name, old in vars(hookspecs).items():
        if hasattr(old, "seq2seq_kit_spec"):
            namespace: dict[str, Any] = {}
            arguments = {"register_commands": "cli, console"}.get(name, "settings")
            exec(f"def {name}({arguments}): ...", namespace)
            setattr(later, name, hookspecs.hookspec(namespace[name]))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(later)
    provider = Provider("s2s-frozen", VERSION, "frozen")
    manager.register(plugin, name="s2s-frozen:frozen")
    manager.check_pending()
    plugins, cli = Plugins(manager), typer.Typer()
    [components] = plugins.call(provider, "register_components", settings={})
    assert {component.kind for component in components} == {*KINDS} - {"importer"}
    plugins.call(provider, "register_commands", cli=cli, console=None)
    assert [command.name for command in cli.registered_commands] == ["thaw"]


def test_it_trains(plugin: ModuleType, tiny_data: Path, tmp_path: Path) -> None:
    paths = [
        f"data.train=[{tiny_data}]",
        f"data.dev=[{tiny_data}]",
        "training.max_steps=2",
        "training.validate_every=2",
    ]
    summary = train(load_config(FROZEN / "config.yaml", paths), tmp_path / "run")
    assert "frozen" in summary.best_metrics
    assert len((tmp_path / "run" / "best_outputs.txt").read_text(encoding="utf-8").splitlines()) == 8


def test_its_run_gives_the_outputs_that_it_gave_then(plugin: ModuleType) -> None:
    report = check_golden(FROZEN / "run")
    assert len(report.findings) == 4


def test_its_decoder_keeps_the_contract(plugin: ModuleType) -> None:
    module = import_module("s2s_frozen.decoder")
    memory = MemorySpec(size=5)
    decoder = module.FrozenDecoder(module.FrozenDecoderConfig(size=4), TargetSpec(vocab_size=9), memory)
    assert not check_decoder(decoder, memory).faults
