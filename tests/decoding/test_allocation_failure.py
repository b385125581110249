"""An allocation that fails inside of the engine: the batch is decoded in halves, and the answers are the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train

DECODE = """
import logging, resource, sys
import seq2seq_kit
from seq2seq_kit.decoding import halving

failures = []
def seen(error, original=halving.is_out_of_memory):
    failures.append(type(error).__name__)
    return original(error)
halving.is_out_of_memory = seen

pipeline = seq2seq_kit.load(sys.argv[1], threads=1)
pairs = [f"{one} {two} six" for one in ("one", "two", "ten", "four") for two in ("three", "five", "six", "one")] * 8
how = {"beam_size": 60, "max_length": 8, "stop": "all", "batch_size": 128}
pipeline.translate(pairs[:2], **how)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 36 * 2**20, limit[1]))
found = [(output.text, output.score) for output in pipeline.translate(pairs, **how)]
resource.setrlimit(resource.RLIMIT_AS, limit)
assert failures and set(failures) == {"MemoryError"}, failures
assert found == [(output.text, output.score) for output in pipeline.translate(pairs, **how)]
assert len(failures) < 8, failures
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
def test_it_halves_the_batch(tiny_config: Path, tmp_path: Path) -> None:
    transformer = "{name: transformer, size: 16, layers: 2, heads: 2, feed_forward_size: 32}"
    sections = [f"model.{part}={transformer}" for part in ("encoder", "decoder")]
    train(load_config(tiny_config, ["training.max_steps=2", *sections]), tmp_path / "run")
    done = subprocess.run([sys.executable, "-c", DECODE, tmp_path / "run"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "decoded in halves" in done.stderr
