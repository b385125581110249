"""Sentences are searched side by side on as many threads as torch has: the result is the same to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from table_step import TableStep

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError

SENTENCES, BEAM, VOCAB = 7, 4, 30_000  # 7 * 4 * 30,000 scores a step are work for three threads

OPTIONS = {
    "kit": SearchOptions(),
    "reference numerics": SearchOptions(numerics="reference"),
    "blocked": SearchOptions(no_repeat_ngram=1, repetition_penalty=1.3, min_length=2),
    "samples": SearchOptions(sampling="tokens", seed=5, top_k=50),
    "logits processed": SearchOptions(semantics="ct2", repetition_penalty=1.2),
}


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _search(options: SearchOptions, threads: int, table: torch.Tensor) -> list[list[Hypothesis]]:
    torch.set_num_threads(threads)
    step = TableStep(table)
    return search(step, step.state(), options)


def _options(name: str) -> SearchOptions:
    return replace(OPTIONS[name], beam_size=BEAM, n_best=2, max_length=4)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", OPTIONS)
def test_the_number_of_threads_changes_nothing(name: str) -> None:
    table = torch.randn(SENTENCES, 3, VOCAB, generator=torch.Generator().manual_seed(3))
    alone = _search(_options(name), 1, table)
    assert all(alone)
    for threads in (2, 3):
        assert _search(_options(name), threads, table) == alone


@pytest.mark.usefixtures("threads")
def test_the_first_sentence_with_bad_scores_is_named() -> None:
    table = torch.randn(SENTENCES, 1, VOCAB, generator=torch.Generator().manual_seed(3))
    table[[2, 5], 0, 17] = float("nan")
    for threads in (1, 3):
        with pytest.raises(SearchError, match="sentence 2, step 0"):
            _search(_options("kit"), threads, table)


SCRIPT = """
import os, torch
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from table_step import TableStep

torch.set_num_threads(1)
step = TableStep(torch.randn(4, 1, 60_000))
run = lambda: search(step, step.state(), SearchOptions(max_length=3))
threads = lambda: len(os.listdir("/proc/self/task"))
alone = run()
before = threads()
torch.set_num_threads(3)
# One thread of ours for each beyond the caller's own; torch starts its own when it has anything to do.
torch.randn(64, 60_000).add_(1).sum()
with_torch = threads()
together = run()
print(before, with_torch, threads(), together == alone)
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_threads_are_started_where_torch_has_several() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert done.returncode == 0, done.stderr
    _, with_torch, after, equal = done.stdout.split()
    assert int(after) - int(with_torch) == 2 and equal == "True"
