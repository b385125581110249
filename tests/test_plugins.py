"""Loading plugins: what is broken is named and survived, and what is disabled is never imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_site import HEADER, FakeSite, attention, components


@pytest.fixture
def site(tmp_path: Path) -> FakeSite:
    site = FakeSite(tmp_path)
    site.add("good", components(attention("fine")))
    return site


def test_plugins_are_loaded_in_a_predictable_order_the_built_in_one_first(site: FakeSite) -> None:
    site.add("Zebra_Pack", components(attention("stripes")))
    site.add("a-pack", components(attention("ant")), entry_points="second = a_pack_plugin\nfirst = other")
    (site.folder / "other.py").write_text(components(attention("ape")), encoding="utf-8")
    report = site.report()
    providers = report["providers"]
    assert providers[0].startswith("seq2seq-kit ") and providers[0].endswith(" builtin")
    assert providers[1:] == ["a-pack 1.0 first", "a-pack 1.0 second", "good 1.0 main", "zebra-pack 1.0 main"]
    assert report["names"] == ["a-pack/ape", "a-pack/ant", "good/fine", "zebra-pack/stripes"]
    assert report["broken"] == []
    assert "torch" not in report["modules"]


BROKEN = {
    "raises when imported": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "does not compile": ("def broken(:", "SyntaxError"),
    "exits when imported": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "raises in its hook": (
        f"{HEADER}@hookimpl\ndef register_components():\n    raise RuntimeError('no luck')\n",
        "no luck",
    ),
    "exits in its hook": (f"{HEADER}@hookimpl\ndef register_components():\n    raise SystemExit(3)\n", "SystemExit: 3"),
    "returns nothing": (f"{HEADER}@hookimpl\ndef register_components():\n    pass\n", "returned None"),
    "returns something else": (components("'lstm'"), "must return Component objects, got 'lstm'"),
    "declares a name twice": (components(attention("x"), attention("x")), "the attention 'x' is declared twice"),
    "declares an unknown kind": (components('Component("enocder", "x", "a:B")'), "unknown kind 'enocder'"),
    "takes a verb of s2s": (components('Component("task", "x", "a:B", verb="train")'), "a command of s2s itself"),
    "takes an argument too many": (
        f"{HEADER}@hookimpl\ndef register_components(registry):\n    return []\n",
        "registry",
    ),
    "implements an unknown hook": (
        components(attention("x")) + "@hookimpl\ndef register_encoders():\n    return []\n",
        "unknown hook 'register_encoders'",
    ),
    "forgets the decorator": (f"{HEADER}def register_components():\n    return []\n", "lacks the decorator @hookimpl"),
    "implements no hook": ("value = 1", "implements none of the hooks (register_components, register_commands)"),
}


@pytest.mark.parametrize(("source", "cause"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_and_stops_no_other(site: FakeSite, source: str, cause: str) -> None:
    site.add("bad-one", source, version="2.3")
    report = site.report()
    [broken] = report["broken"]
    assert broken.startswith("plugin 'main' of bad-one 2.3 cannot be used: ")
    assert cause in broken
    assert report["names"] == ["good/fine"]  # nothing half-registered stays
    assert report["hooked"] == ["good:main", "seq2seq-kit:builtin"]


def test_strict_mode_makes_a_broken_plugin_an_error(site: FakeSite) -> None:
    site.add("bad-one", "import no_such_module")
    done = site.s2s("plugins", "list", S2S_PLUGINS_STRICT="1")
    assert done.returncode == 2
    assert "bad-one 1.0 cannot be used" in done.stderr and "S2S_PLUGINS_STRICT" in done.stderr
    assert "Traceback" not in done.stderr
    assert site.report(S2S_PLUGINS_STRICT="0")["broken"]


@pytest.mark.parametrize("disabled", ["slow-pack", " Slow_Pack , other", "*"])
def test_a_disabled_plugin_is_never_imported(site: FakeSite, disabled: str) -> None:
    site.add("slow-pack", "raise SystemExit('imported')", entry_points="a = slow_pack_plugin\nb = slow_pack_plugin")
    report = site.report(S2S_DISABLE_PLUGINS=disabled)
    assert report["disabled"] == (["good", "slow-pack"] if disabled == "*" else ["slow-pack"])
    assert "slow_pack_plugin" not in report["modules"]
    assert report["broken"] == []
    assert report["providers"][0].startswith("seq2seq-kit ")  # the built-in one cannot be disabled


def test_one_module_under_two_names_is_used_once(site: FakeSite) -> None:
    site.add("twice", components(attention("x")), entry_points="a = twice_plugin\nb = twice_plugin")
    report = site.report()
    assert report["names"] == ["good/fine", "twice/x"]
    assert "plugin 'b' of twice 1.0 cannot be used" in report["broken"][0]


def test_a_distribution_on_the_path_twice_counts_once_where_python_finds_it_first(tmp_path: Path) -> None:
    first, second = FakeSite(tmp_path / "new"), FakeSite(tmp_path / "old")
    for site, version in ((first, "2.0"), (second, "1.0")):
        site.folder.mkdir()
        site.add("pack", components(attention("x")), version=version)
    report = first.report(PYTHONPATH=f"{first.folder}:{second.folder}")
    assert report["providers"][1:] == ["pack 2.0 main"] and report["broken"] == []


def test_what_an_uninstallation_left_behind_stops_nothing(site: FakeSite) -> None:
    site.add("ghost")
    (site.folder / "ghost-1.0.dist-info" / "METADATA").unlink()
    (site.folder / "ghost_plugin.py").unlink()
    report = site.report()
    assert report["names"] == ["good/fine"]
    assert "plugin 'main' of unknown" in report["broken"][0] and "ghost_plugin" in report["broken"][0]


def test_two_distributions_may_share_a_name_until_it_is_used(site: FakeSite) -> None:
    site.add("rival", components(attention("fine"), attention("luong")), version="3.1")
    code = """
from seq2seq_kit.registry import registry
print(registry().find("attention", "rival/fine").provider, registry().find("attention", "Good/fine").provider)
print(registry().find("attention", "seq2seq_kit/luong").provider.distribution)
registry().find("attention", "luong")
"""
    done = site.run("-c", code)
    assert done.stdout.splitlines() == ["rival 3.1 good 1.0", "seq2seq-kit"]
    error = done.stderr.splitlines()[-1]
    assert "seq2seq-kit 0." in error and "rival 3.1" in error and "'rival/luong'" in error


def test_a_component_that_cannot_be_imported_names_its_provider(site: FakeSite) -> None:
    site.add("hollow", components('Component("schedule", "x", "no_such_module:X", "yaml:YAMLError")'))
    code = """
from seq2seq_kit import PluginError
from seq2seq_kit.registry import registry
for load in (registry().find("schedule", "x").load, registry().find("schedule", "x").load_config):
    try:
        load()
    except PluginError as error:
        print(error)
"""
    lines = site.run("-c", code).stdout.splitlines()
    assert lines[0].startswith("schedule 'x' of hollow 1.0 cannot be used: no_such_module:X: ModuleNotFoundError")
    assert "is not a subclass of seq2seq_kit.ComponentConfig" in lines[1]
