"""Batches for which there is no memory: decoded in halves, each size tried once and reported, nothing lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import seq2seq_kit
from seq2seq_kit.decoding import generate
from seq2seq_kit.decoding.halving import Halving
from seq2seq_kit.errors import UserError


def no_memory() -> None:
    torch.empty(10**15)  # fails as torch's allocator does


class Work:
    """Fits up to ``room`` (items times the longest); remembers what it was given."""

    def __init__(self, room: int, fail: Any = no_memory) -> None:
        self.room, self.fail = room, fail
        self.given: list[Sequence[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.given.append(items)
        if len(items) * max(items) > self.room:
            self.fail()
        return [10 * item for item in items]


def out_of_memory() -> None:
    raise MemoryError  # as std::bad_alloc comes out of the engine


@pytest.mark.parametrize("fail", [no_memory, out_of_memory])
def test_each_size_fails_once_and_is_reported(fail: Any, caplog: pytest.LogCaptureFixture) -> None:
    halving, work = Halving(), Work(8, fail)
    with caplog.at_level(logging.WARNING):
        assert halving(work, [4] * 8, int) == [40] * 8
    assert [len(items) for items in work.given] == [8, 4, 2, 2, 2, 2]
    assert len(caplog.messages) == 2 and "8 sentences of up to 4 source tokens" in caplog.messages[0]
    work.given.clear()
    assert halving(work, [4] * 8, int) == [40] * 8  # large: not tried
    assert halving(work, [1] * 8, int) == [10] * 8  # as many, and small
    assert [len(items) for items in work.given] == [2, 2, 2, 2, 8]
    assert len(caplog.messages) == 2


def test_other_errors_come_out() -> None:
    def broken(items: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Halving()(broken, [1, 2], int)


def test_a_single_one_that_does_not_fit_is_named() -> None:
    with pytest.raises(UserError, match="not enough memory for one sentence of 9 source tokens"):
        Halving()(Work(8), [1, 2, 9], int)


def test_nothing_to_do() -> None:
    assert Halving()(lambda items: list(items), [], int) == []


def test_a_run_goes_on(tiny_run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = seq2seq_kit.load(tiny_run)
    sources = ["one two", "three", "ten six three", "four five"] * 5
    expected = [output.text for output in pipeline.translate(sources)]
    original, sizes, lock = generate.search, [], threading.Lock()

    def search(*arguments: Any, sentences: Sequence[Any], **how: Any) -> Any:
        with lock:
            sizes.append(len(sentences))
        if len(sentences) > 3:
            no_memory()
        return original(*arguments, sentences=sentences, **how)

    monkeypatch.setattr(generate, "search", search)
    with caplog.at_level(logging.WARNING):
        assert [output.text for output in pipeline.translate(sources, batch_size=10)] == expected
    assert max(sizes) == 10 and len(caplog.messages) == len(set(caplog.messages)) > 0
