"""``s2s plugins new`` for every kind: what it writes installs, passes its own tests and trains, unedited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.environment import Environment

from seq2seq_kit.scaffold import SUMMARIES, new_plugin

pytestmark = pytest.mark.long

KINDS = sorted(SUMMARIES)

TRAIN_EACH = """
import json, os, sys
from pathlib import Path
from seq2seq_kit import load
from seq2seq_kit.plugin_check import check_plugin
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train
found = {}
for folder in map(Path, sys.argv[1:]):
    os.chdir(folder)
    verdicts = [finding.verdict for finding in check_plugin(folder.name)]
    summary = train(load_config(Path("config.yaml")), Path("runs/first"))
    manifest = json.loads(Path("runs/first/checkpoint.json").read_text(encoding="utf-8"))
    used = [c["name"] for c in manifest["components"] if c["distribution"] == folder.name]
    outputs = [output.text for output in load("runs/first")(["one two", "six"])]
    found[folder.name] = {"verdicts": verdicts, "best": summary.best_metrics, "used": used, "outputs": outputs}
print(json.dumps(found))
"""
"""All in one process, which imports torch once."""


BUILD_EACH = """
import os, sys
from hatchling.build import build_wheel
wheels, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    build_wheel(wheels)
"""
"""As pip does, in one process where pip starts three for each."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    parent = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        new_plugin(f"s2s-mine-{kind}", kind, parent)
    return {kind: parent / f"s2s-mine-{kind}" for kind in KINDS}


@pytest.fixture(scope="module")
def environment(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """All of them installed: one from its folder, as its README says, the others from wheels."""
    environment, wheels = Environment(tmp_path_factory.mktemp("environment")), tmp_path_factory.mktemp("wheels")
    built = environment.run("-c", BUILD_EACH, wheels, *(folder for kind, folder in folders.items() if kind != "task"))
    assert built.returncode == 0, built.stderr
    environment.install(folders["task"], *wheels.iterdir())
    return environment


def test_each_passes_its_own_tests(environment: Environment, folders: dict[str, Path]) -> None:
    tests = [folder / "tests" for folder in folders.values()]
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", folders["task"].parent]
    done = environment.run("-m", "pytest", *options, *tests, cwd=folders["task"].parent)
    assert done.returncode == 0, done.stdout
    assert " skipped" not in done.stdout


@pytest.mark.timeout(900)  # half a minute where the machine is not shared
def test_each_is_well_made_trains_and_decodes(environment: Environment, folders: dict[str, Path]) -> None:
    done = environment.run("-c", TRAIN_EACH, *folders.values(), timeout=850)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {folder.name for folder in folders.values()}
    for name, one in found.items():
        assert one["verdicts"] and set(one["verdicts"]) == {"ok"}, name
        assert {used.removesuffix("-words") for used in one["used"]} == {"mine"}, name
        assert one["best"]["loss"] < 1.5, (name, one["best"])
        assert one["outputs"] != ["", ""], name
    best = folders["callback"] / "runs" / "first" / "best_outputs.txt"
    assert len(best.read_text(encoding="utf-8").splitlines()) == 8


def test_a_task_has_its_verb(environment: Environment, folders: dict[str, Path]) -> None:
    done = environment.s2s("mine", folders["task"] / "runs" / "first", input="one two\n")
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr
