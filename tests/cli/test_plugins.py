"""``s2s plugins list | show | check | new``, and what plugins do to the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.fake_site import HEADER, FakeSite, attention, components

WELL_MADE = {
    "model.py": '''
import torch
from seq2seq_kit import Attention, ComponentConfig

class MineConfig(ComponentConfig):
    """Mine."""
    name: str = "mine"
    width: int = 3
    """How wide it is."""

class Mine(Attention):
    pass
''',
}
MINE = 'Component("attention", "mine", "model:Mine", "model:MineConfig", "my own")'


@pytest.fixture
def site(tmp_path: Path) -> FakeSite:
    site = FakeSite(tmp_path)
    for name, text in WELL_MADE.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return site


def commands(*bodies: str) -> str:
    """A plugin module that adds commands."""
    added = "".join(f"    @cli.command()\n    {body}\n" for body in bodies)
    return f"{HEADER}@hookimpl\ndef register_commands(cli):\n{added}"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["plugins", "list"], ["plugins", "show", "lstm"], ["train", "--help"]]
)
def test_what_needs_no_model_imports_no_torch(arguments: list[str], site: FakeSite) -> None:
    site.add("pack", components(MINE))
    code = f"""
import sys
from seq2seq_kit.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules and "model" not in sys.modules
"""
    done = site.run("-c", code)
    assert done.returncode == 0, done.stderr


def test_checking_imports_no_torch_either(site: FakeSite) -> None:
    site.add("pack", components(MINE))
    code = "import sys\nfrom seq2seq_kit.plugin_check import check_plugin\ncheck_plugin('pack')\n"
    done = site.run("-c", f"{code}check_plugin('seq2seq-kit')\nassert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_list_shows_every_component_and_what_is_broken_or_disabled(site: FakeSite) -> None:
    site.add("pack", components(MINE), version="4.5")
    site.add("bad", "import no_such_module")
    site.add("off", "")
    done = site.s2s("plugins", "list", S2S_DISABLE_PLUGINS="off")
    assert done.returncode == 0, done.stderr
    for cells in (["encoder", "lstm", "seq2seq-kit"], ["attention", "mine", "pack", "4.5", "my own"]):
        assert any(all(cell in line for cell in cells) for line in done.stdout.splitlines()), cells
    assert "plugin 'main' of bad 1.0 cannot be used: ModuleNotFoundError" in done.stdout
    assert "off is disabled by S2S_DISABLE_PLUGINS" in done.stdout
    assert "lstm" not in site.s2s("plugins", "list", "--kind", "attention").stdout


def test_list_as_json(site: FakeSite) -> None:
    site.add("pack", components(attention("luong")))
    site.add("bad", "import no_such_module")
    listed = json.loads(site.s2s("plugins", "list", "--kind", "attention", "--json").stdout)
    assert {"seq2seq-kit/luong", "pack/luong"} <= {c["qualified_name"] for c in listed["components"]}
    assert {c["kind"] for c in listed["components"]} == {"attention"}
    assert [b["distribution"] for b in listed["broken"]] == ["bad"]
    assert listed["disabled"] == []


def test_a_name_that_two_provide_is_listed_as_it_must_be_written(site: FakeSite) -> None:
    site.add("pack", components(attention("luong")))
    done = site.s2s("plugins", "list")
    assert "pack/luong" in done.stdout and "seq2seq-kit/luong" in done.stdout


def test_show_describes_every_field_of_the_configuration(site: FakeSite) -> None:
    site.add("pack", components(MINE), version="4.5")
    done = site.s2s("plugins", "show", "mine")
    assert done.returncode == 0, done.stderr
    for part in ("attention mine", "my own", "pack 4.5", "model:Mine", "width", "How wide it is.", "state version"):
        assert part in done.stdout
    both = site.s2s("plugins", "show", "lstm").stdout
    assert "encoder lstm" in both and "decoder lstm" in both and "linear | copy | zero" in both
    assert "encoder lstm" not in site.s2s("plugins", "show", "lstm", "--kind", "decoder").stdout
    shown = json.loads(site.s2s("plugins", "show", "pack/mine", "--json").stdout)
    assert shown["components"][0]["fields"][1] == {
        "name": "width",
        "type": "int",
        "default": "3",
        "doc": "How wide it is.",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "lsmt"], "did you mean 'lstm'?"),
        (["show", "gru", "--kind", "attention"], "'gru' is of the kind encoder and decoder"),
        (["list", "--kind", "enocder"], "--kind must be one of encoder, "),
        (["check", "nowhere"], "there is no distribution 'nowhere' installed here"),
        (["check", ""], "there is no distribution '' installed here"),
        (["check", "pytest"], "1 of 1 checks failed"),
        (["chekc", "pytest"], "Did you mean 'check'?"),
    ],
)
def test_mistakes_get_a_sentence(site: FakeSite, arguments: list[str], message: str) -> None:
    done = site.s2s("plugins", *arguments)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_the_built_in_components_pass_their_own_check(site: FakeSite) -> None:
    done = site.s2s("plugins", "check", "seq2seq-kit")
    assert done.returncode == 0, done.stdout


def test_a_well_made_plugin_passes(site: FakeSite) -> None:
    site.add("pack", components(MINE))
    done = site.s2s("plugins", "check", "Pack")
    assert done.returncode == 0, done.stdout
    assert "class model:Mine" in done.stdout and "without torch" in done.stdout


FAULTS = {
    "imports torch": ("import torch\n" + components(MINE), "imports torch: name the model classes as strings"),
    "is slow to import": ("import time; time.sleep(1.2)\n" + components(MINE), "import less there"),
    "cannot be imported": ("import no_such_module", "No module named 'no_such_module'"),
    "declares what cannot be": (components('Component("x", "y", "a:B")'), "unknown kind 'x'"),
    "names no module": (components('Component("metric", "x", "nowhere:Mine")'), "there is no module nowhere"),
    "names no class": (components('Component("metric", "x", "model:Min")'), "there is no class Min in model"),
    "has a foreign configuration": (
        components('Component("attention", "mine", "model:Mine", "model:Mine")'),
        "Mine does not derive from seq2seq_kit.ComponentConfig",
    ),
    "has a configuration of another name": (
        components('Component("attention", "mime", "model:Mine", "model:MineConfig")'),
        "MineConfig.name must be 'mime' by default, is 'mine'",
    ),
    "takes a command's name": (commands("def train(): pass"), "there is a command 'train' already"),
}


@pytest.mark.parametrize(("source", "message"), FAULTS.values(), ids=FAULTS)
def test_check_finds_a_fault(site: FakeSite, source: str, message: str) -> None:
    site.add("pack", source)
    done = site.s2s("plugins", "check", "pack")
    assert done.returncode == 2
    assert message in done.stdout and "FAILED" in done.stdout
    assert "checks failed" in done.stderr and "Traceback" not in done.stderr


def test_check_notes_a_name_that_others_have_too(site: FakeSite) -> None:
    site.add("pack", components('Component("attention", "luong", "model:Mine")'))
    done = site.s2s("plugins", "check", "pack")
    assert done.returncode == 0
    assert "users must write 'pack/luong'" in done.stdout and "has no summary" in done.stdout


def test_check_of_a_disabled_plugin_says_so(site: FakeSite) -> None:
    site.add("pack", components(MINE))
    done = site.s2s("plugins", "check", "pack", S2S_DISABLE_PLUGINS="pack")
    assert done.returncode == 2 and "disabled" in done.stderr


TALKS = 'Component("task", "talk", "model:Mine", verb="talk")'


def test_a_command_for_a_plugins_own_verb_takes_the_place_of_every_tasks(site: FakeSite) -> None:
    site.add("pack", components(TALKS) + commands("def talk(): print('own')"))
    assert site.s2s("talk").stdout == "own\n"


def test_a_verb_that_two_provide_has_the_command_of_every_task(site: FakeSite) -> None:
    site.add("pack", components(TALKS) + commands("def talk(): print('own')"))
    site.add("rival", components(TALKS))
    done = site.s2s("talk", "--help")
    assert "there is a command 'talk' already" in done.stderr and "--beam-size" in done.stdout


def test_a_plugin_adds_commands(site: FakeSite) -> None:
    site.add("pack", commands("def greet(times: int = 1):\n        'Say hello.'\n        print('hello ' * times)"))
    assert "Say hello." in site.s2s("--help").stdout
    assert site.s2s("greet", "--times", "2").stdout == "hello hello \n"
    assert "Did you mean 'greet'?" in site.s2s("gret").stderr


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (commands("def fresh(): pass", "def train(): pass"), "there is a command 'train' already"),
        (commands("def fresh(): pass", "def translate(): pass"), "there is a command 'translate' already"),
        (commands("def fresh(): pass") + "    raise OSError('no luck')\n", "no luck"),
        (commands("def fresh(x: int | str): pass"), "AssertionError"),
    ],
)
def test_a_plugin_whose_commands_cannot_be_added_adds_none(site: FakeSite, source: str, cause: str) -> None:
    site.add("pack", source)
    done = site.s2s("--help")
    assert done.returncode == 0
    assert "Warning: plugin 'main' of pack 1.0 cannot be used: " in done.stderr and cause in done.stderr
    assert "fresh" not in done.stdout and "train" in done.stdout
    assert site.s2s("--help", S2S_PLUGINS_STRICT="1").returncode == 2


def test_two_plugins_with_one_command_the_first_by_name_has_it(site: FakeSite) -> None:
    site.add("b-pack", commands("def greet(): print('b')"))
    site.add("a-pack", commands("def greet(): print('a')"))
    done = site.s2s("greet")
    assert done.stdout == "a\n"
    assert "b-pack 1.0 cannot be used" in done.stderr


def test_an_exception_in_a_plugins_code_names_the_plugin(site: FakeSite) -> None:
    site.add("pack", commands("def greet(): raise KeyError('oh')"))
    done = site.s2s("greet")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: this is a bug of pack 1.0: KeyError: 'oh'\n")
    assert "Traceback" not in done.stderr
    assert "Traceback" in site.s2s("greet", "--debug").stderr


def test_a_new_plugin_is_written_and_nothing_over_it(run_s2s: Any, tmp_path: Path) -> None:
    arguments = ("plugins", "new", "s2s-gated", "--kind", "attention", "--into", tmp_path)
    done = run_s2s(*arguments)
    assert done.returncode == 0, done.stderr
    written = [line for line in done.stdout.splitlines() if (tmp_path / "s2s-gated" / line).is_file()]
    assert len(written) == 11 and "src/s2s_gated/attention.py" in written
    assert "pytest && s2s train config.yaml --out runs/first" in done.stdout
    again = run_s2s(*arguments)
    assert again.returncode == 2
    assert again.stderr.strip().endswith(
        "s2s-gated: is there already; choose another name, or another folder with --into"
    )
