"""What many tests need: the command line as a subprocess, and one tiny trained run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli import s2s

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: threads cost more than they give
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs ignore Ctrl-C, and so would ours
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: of several processes none is left alone with one in the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
NOMBRES = ["un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"]

CONFIG = """\
seed: 3
task: {name: translation, source_tokenizer: word, target_tokenizer: word}
data: {train: [%(data)s], dev: [%(data)s]}
model:
  encoder: {name: gru, embedding_size: 24, size: 32, bidirectional: true}
  decoder: {name: gru, embedding_size: 24, size: 32, attention: luong}
training: {max_steps: 120, batch_tokens: 400, learning_rate: 0.02, validate_every: 60, validation_examples: 20}
search: {beam_size: 3, max_length: 20}
"""


@pytest.fixture(scope="session")
def run_s2s() -> Callable[..., subprocess.CompletedProcess[str]]:
    return s2s


@pytest.fixture(scope="session")
def number_pairs() -> list[tuple[str, str]]:
    """A toy corpus: pairs of number words, translated word by word."""
    pairs = []
    for i, (a, x) in enumerate(zip(NUMBERS, NOMBRES, strict=True)):
        for j, (b, y) in enumerate(zip(NUMBERS, NOMBRES, strict=True)):
            pairs.append((f"{a} {b}", f"{x} {y}"))
            if (i + j) % 3 == 0:
                pairs.append((f"{b} {a} {b}", f"{y} {x} {y}"))
    return pairs


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory, number_pairs: list[tuple[str, str]]) -> Path:
    path = tmp_path_factory.mktemp("data") / "numbers.tsv"
    path.write_text("".join(f"{s}\t{t}\n" for s, t in number_pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_config(tiny_data: Path) -> Path:
    path = tiny_data.with_name("config.yaml")
    path.write_text(CONFIG % {"data": tiny_data}, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_config: Path) -> Path:
    """A run folder, trained through the command line in a few seconds. Read-only for tests: copy it to change it."""
    run = tmp_path_factory.mktemp("runs") / "numbers"
    done = s2s("train", tiny_config, "--out", run)
    assert done.returncode == 0, done.stderr
    return run
