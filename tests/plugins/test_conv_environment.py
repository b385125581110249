"""A stranger's plugin, from pip install to pip uninstall, in a throw-away environment: installing it is all it takes
to train it, checkpoint it and decode it in C++."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.environment import Environment

pytestmark = pytest.mark.long

PLUGIN = Path(__file__).parents[2] / "plugins" / "seq2seq-kit-conv"

CONFIG = """\
task: {name: translation, source_tokenizer: word, target_tokenizer: word}
data: {train: [%(data)s], dev: [%(data)s]}
model:
  encoder: {name: conv, embedding_size: 32, size: 32, layers: 2, dropout: 0}
  decoder: {name: conv, embedding_size: 32, size: 32, layers: 2, dropout: 0}
training: {max_steps: 150, batch_tokens: 400, learning_rate: 0.01, validate_every: 75, validation_examples: 20}
search: {beam_size: 3, max_length: 20}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(PLUGIN)
    return environment


@pytest.fixture(scope="module")
def run(environment: Environment, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conv")
    config = folder / "conv.yaml"
    config.write_text(CONFIG % {"data": tiny_data}, encoding="utf-8")
    done = environment.s2s("train", config, "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_passes_its_checks_and_its_own_tests(environment: Environment) -> None:
    checked = environment.s2s("plugins", "check", "seq2seq-kit-conv")
    assert checked.returncode == 0, checked.stdout
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests", cwd=PLUGIN)
    assert tested.returncode == 0, tested.stdout


def test_it_trains_and_decodes(environment: Environment, run: Path) -> None:
    done = environment.s2s("translate", run, input="one two\nseven three\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "un deux\nsept trois\n"


def test_its_checkpoint_names_it_and_is_readable_without_it(run: Path) -> None:
    components = json.loads((run / "checkpoint.json").read_text(encoding="utf-8"))["components"]
    providers = {c["path"]: (c["distribution"], c["version"]) for c in components}
    assert providers["model.encoder"] == providers["model.decoder"] == ("seq2seq-kit-conv", "0.1.0")
    assert providers["criterion"][0] == "seq2seq-kit"


@pytest.mark.parametrize(
    "part", ["encoder={name: gru, size: 24, embedding_size: 16}", "decoder={name: lstm, size: 24, embedding_size: 16}"]
)
def test_it_works_with_the_built_in_components(environment: Environment, run: Path, tmp_path: Path, part: str) -> None:
    overrides = ["--set", f"model.{part}", "--set", "training.max_steps=3"]
    done = environment.s2s("train", run.parent / "conv.yaml", "--out", tmp_path / "mixed", *overrides)
    assert done.returncode == 0, done.stderr
    done = environment.s2s("translate", tmp_path / "mixed", input="one\n")
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr


def test_uninstalled_its_run_says_what_is_missing_and_what_to_type(environment: Environment, run: Path) -> None:
    environment.pip("uninstall", "--yes", "seq2seq-kit-conv")
    try:
        done = environment.s2s("translate", run, input="one\n")
        assert done.returncode == 2
        assert "'conv' of seq2seq-kit-conv 0.1.0, which is not installed here" in done.stderr
        assert "pip install seq2seq-kit-conv==0.1.0" in done.stderr
        assert "Traceback" not in done.stderr
        done = environment.s2s("train", run.parent / "conv.yaml", "--out", run.parent / "new")
        assert done.returncode == 2 and "unknown encoder 'conv'" in done.stderr
    finally:
        environment.install(PLUGIN)
