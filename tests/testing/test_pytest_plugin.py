"""``pytest --s2s NAME`` runs the checks of what is installed, names faults, and does nothing unless it is asked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.fake_site import FakeSite

from seq2seq_kit.components import KINDS, Component
from seq2seq_kit.errors import PluginError, UserError
from seq2seq_kit.metrics.exact import ExactMatch
from seq2seq_kit.registry import registry
from seq2seq_kit.testing import temporary_plugin
from seq2seq_kit.testing.check_component import ComponentChecks, component_checks

PLUGIN = """\
from seq2seq_kit import Component, hookimpl

@hookimpl
def register_components():
    return [
        Component("schedule", "halves", "parts:Halves", "parts:HalvesConfig"),
        Component("attention", "leaks", "parts:Leaks", "parts:LeaksConfig"),
    ]
"""
PARTS = """\
from seq2seq_kit import Attention, ComponentConfig, Schedule

class HalvesConfig(ComponentConfig):
    name: str = "halves"
    when: object = None

class Halves(Schedule):
    def __call__(self, step):
        return 0.5

class LeaksConfig(ComponentConfig):
    name: str = "leaks"
    size: int
    \"\"\"Of nothing.\"\"\"

class Leaks(Attention):
    def __init__(self, config, query_size, memory):
        super().__init__()
        self.context_size = memory.size

    def project(self, memory):
        return {"values": memory.states}

    def forward(self, query, projected, state):
        weights = (query @ projected["values"].transpose(1, 2)).softmax(-1)
        return weights @ projected["values"], weights, state
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> FakeSite:
    site = FakeSite(tmp_path_factory.mktemp("site"))
    site.add("s2s-leaky", PLUGIN)
    (site.folder / "parts.py").write_text(PARTS, encoding="utf-8")
    return site


def _pytest(site: FakeSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a folder without tests; the plugin is named, as this environment may be older than its entry point."""
    options = ["-p", "seq2seq_kit.pytest_plugin", "-p", "no:cacheprovider", "--rootdir", str(site.folder), "-rA"]
    return site.run("-m", "pytest", *options, *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def test_the_checks_of_a_distribution_are_tests(site: FakeSite) -> None:
    done = _pytest(site, "--s2s", "s2s-leaky", "--s2s-set", "size=3", "-k", "attention")
    assert done.returncode == 1, done.stdout
    assert re.search(r"PASSED .*attention s2s-leaky/leaks: config-saved", done.stdout)
    assert re.search(r"PASSED .*attention s2s-leaky/leaks: deterministic", done.stdout)
    assert re.search(r"FAILED .*attention s2s-leaky/leaks: padding", done.stdout)
    assert "what stands in the padding of memory.states changes the context" in done.stdout
    assert re.search(r"SKIPPED \[1\] .*: it has no state", done.stdout)
    assert "Traceback" not in done.stdout


def test_an_unknown_name_is_a_usage_error(site: FakeSite) -> None:
    done = _pytest(site, "--s2s", "leak")
    assert done.returncode == 4
    assert "unknown component 'leak'; did you mean 'leaks'?" in done.stderr + done.stdout


def test_it_does_nothing_unless_it_is_asked() -> None:
    code = (
        "import sys, pytest\n"
        "code = pytest.main(['-p', 'seq2seq_kit.pytest_plugin', '--collect-only', '-q', sys.argv[1]])\n"
        "print(int(code), 'torch' in sys.modules, 'pydantic' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).with_name("test_tiny.py").parent / "nothing_here.py")],
        capture_output=True,
        encoding="utf-8",
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "4 False False", done.stdout + done.stderr


def test_it_is_declared_as_an_entry_point_of_pytest() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\nseq2seq_kit = "seq2seq_kit.pytest_plugin"\n' in text


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("encoder", "decoder", "task", "importer")])
def test_a_built_in_component_of_each_kind_passes(kind: str) -> None:
    provided = [p for p in registry().provided(kind) if p.provider.distribution == "seq2seq-kit"]
    for p in provided[:2]:
        checks = ComponentChecks(p, ("steps=10",) if p.component.name == "linear" else ())
        report = checks.report
        assert [finding.check for finding in report.findings] == checks.names
        assert not report.faults, str(report)


def test_a_component_of_its_full_size_passes() -> None:
    """On a CPU its layers keep weights packed for a kernel, tensors that cannot be looked into."""
    report = ComponentChecks(registry().find("encoder", "transformer")).report
    assert {finding.verdict for finding in report.findings} == {"ok"}, str(report)


def test_a_component_without_configuration_has_none_to_check() -> None:
    with temporary_plugin(Component("metric", "bare", ExactMatch), distribution="bare"):
        [checks] = component_checks("bare")
        assert checks.names[:2] == ["build", "number"] and not checks.report.faults


def test_what_cannot_be_checked_gets_a_sentence() -> None:
    with pytest.raises(PluginError, match="unknown component 'nowhere'"):
        component_checks("nowhere")
    [checks] = component_checks("inverse_sqrt", ["warmup"])
    with pytest.raises(UserError, match="'warmup': write FIELD=VALUE"):
        _ = checks.report
    [checks] = component_checks("inverse_sqrt", ["warm=3"])
    with pytest.raises(UserError, match=r"there is no field 'warm'; did you mean 'warmup'\?"):
        _ = checks.report
