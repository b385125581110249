"""Speech as a stranger's plugin, in a throw-away environment: a task of another modality, with a command of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.environment import Environment

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "seq2seq-kit-speech"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    for needed in ("soundfile", "soxr", "jiwer"):
        pytest.importorskip(needed, reason=f"seq2seq-kit-speech needs {needed}")
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(PLUGIN)
    return environment


def test_it_passes_its_checks(environment: Environment) -> None:
    checked = environment.s2s("plugins", "check", "seq2seq-kit-speech")
    assert checked.returncode == 0, checked.stdout


def test_it_passes_its_own_tests(environment: Environment) -> None:
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests", cwd=PLUGIN)
    assert tested.returncode == 0, tested.stdout
    assert " skipped" not in tested.stdout


def test_the_configuration_of_its_benchmark_is_valid(environment: Environment) -> None:
    load = "from pathlib import Path; from seq2seq_kit.run_config import load_config; load_config(Path({!r}))"
    done = environment.run("-c", load.format(str(ROOT / "benchmarks" / "configs" / "speech_digits.yaml")))
    assert done.returncode == 0, done.stderr


def test_its_own_command_has_the_place_of_its_verb(environment: Environment) -> None:
    done = environment.s2s("transcribe", "--help")
    assert done.returncode == 0 and "--timestamps" in done.stdout, done.stderr
    done = environment.s2s("transcribe", "no-such-run", "a.wav")
    assert done.returncode == 2 and "no-such-run" in done.stderr and "Traceback" not in done.stderr
