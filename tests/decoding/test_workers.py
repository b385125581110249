"""Batches decoded side by side: the same outputs in the same order, bounded, and nothing left running."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import model_config
from tiny_transformers import shake

from seq2seq_kit.config import validate
from seq2seq_kit.decoding.generate import Decoding, System, generate
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import Cancellation
from seq2seq_kit.decoding.workers import AHEAD, in_order
from seq2seq_kit.errors import DataError, SearchError
from seq2seq_kit.interfaces import Example, Output
from seq2seq_kit.model import Model, build_model
from seq2seq_kit.tasks.translation import Translation, TranslationConfig

WORDS = [f"w{i}" for i in range(30)]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    threads, running = torch.get_num_threads(), threading.active_count()
    yield
    torch.set_num_threads(threads)
    assert threading.active_count() == running


@pytest.fixture(scope="module")
def system() -> System:
    """A Transformer with random weights, whose outputs differ in length."""
    task = Translation(validate(TranslationConfig, {"name": "translation", "source_tokenizer": "word"}, "test"))
    task.prepare([Example(word, word) for word in WORDS] * 2)
    torch.manual_seed(0)
    model = build_model(model_config("transformer", "transformer"), task.source_spec, task.target_spec).eval()
    shake(model)
    return System(model, task)


def examples(count: int) -> Iterator[Example]:
    return (Example(" ".join(WORDS[(i * j) % 30] for j in range(1 + (i * 7) % 11))) for i in range(count))


def outputs(system: System, threads: int, count: int = 60, *, options: SearchOptions, **how: Any) -> list[Output]:
    torch.set_num_threads(threads)
    return list(generate(system.model, system.task, examples(count), options, **{"batch_size": 4, **how}))


DRAWN = SearchOptions(sampling="tokens", seed=5, beam_size=2, n_best=2, max_length=12)


@pytest.mark.parametrize("options", [SearchOptions(beam_size=3, n_best=2, max_length=12), DRAWN], ids=["beam", "drawn"])
def test_threads_change_nothing_to_the_bit(system: System, options: SearchOptions) -> None:
    alone = outputs(system, 1, options=options)
    assert len({output.score for output in alone}) > 10
    for threads in (2, 7):
        assert outputs(system, threads, options=options) == alone
    assert [o.text for o in outputs(system, 3, window=9, options=options)] == [o.text for o in alone]


def test_draws_of_torch_do_not_depend_on_threads(system: System) -> None:
    texts = []
    for threads in (1, 3):
        torch.manual_seed(1)
        texts.append([output.text for output in outputs(system, threads, options=replace(DRAWN, rng="torch"))])
    assert texts[0] == texts[1] and len(set(texts[0])) > 10


def test_who_is_decoded_side_by_side(system: System) -> None:
    torch.set_num_threads(3)
    assert Decoding([system], SearchOptions()).workers() == 3
    drawing = SearchOptions(sampling="tokens", rng="torch")
    assert Decoding([system], drawing).workers() == 1
    assert Decoding([system], SearchOptions(), stepper="python").workers() == 1
    assert Decoding([system], SearchOptions(), processors=[object()]).workers() == 1  # type: ignore[list-item]
    with torch.autocast("cpu"):
        assert Decoding([system], SearchOptions()).workers() == 1


def test_progress_is_told_where_the_outputs_are_read(system: System) -> None:
    told: list[int] = []
    callers = set()

    def progress(count: int) -> None:
        told.append(count)
        callers.add(threading.current_thread())

    outputs(system, 3, 30, options=SearchOptions(max_length=5), progress=progress)
    assert sum(told) == 30 and len(told) == 8 and callers == {threading.current_thread()}


def test_errors_come_in_order(system: System) -> None:
    def stream() -> Iterator[Example]:
        yield from examples(150)
        raise DataError("line 151")

    torch.set_num_threads(3)
    answered = 0
    with pytest.raises(DataError, match="151"):
        for _ in generate(system.model, system.task, stream(), SearchOptions(max_length=5), batch_size=4):
            answered += 1
    assert answered == 150
    with pytest.raises(SearchError, match="suppress"):
        outputs(system, 3, options=SearchOptions(suppress=(10**6,)))


def test_a_reader_who_leaves_ends_the_searches(system: System) -> None:
    torch.set_num_threads(3)
    endless = SearchOptions(beam_size=1, max_length=10**6, min_length=10**6)
    never = generate(system.model, system.task, examples(60), endless, batch_size=4)

    def interrupt() -> None:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        next(never)

    quick = generate(system.model, system.task, examples(10**6), SearchOptions(max_length=3), batch_size=4)
    next(quick)
    model: Model = system.model
    quick.close()
    assert not model.training


def test_only_so_many_are_held() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    done = in_order(lambda item, _: item * 2, items(), 2)
    for expected, (item, result) in enumerate(done):
        assert item == expected and result == 2 * item
        assert taken <= expected + 1 + AHEAD * 2
    assert taken == 100


def test_torch_threads_are_shared_out() -> None:
    torch.set_num_threads(5)

    def work(item: int, cancellation: Cancellation) -> int:
        barrier.wait()  # each in a thread of its own
        return torch.get_num_threads()

    for count, shares in ((5, [1, 1, 1, 1, 1]), (2, [2, 3]), (3, [1, 2, 2])):
        barrier = threading.Barrier(count)
        assert sorted(threads for _, threads in in_order(work, range(count), 5)) == shares
    assert [threads for _, threads in in_order(lambda *_: torch.get_num_threads(), [1], 5)] == [5]
    assert torch.get_num_threads() == 5
    met: list[int] = []
    newcomer = threading.Thread(target=lambda: met.append(torch.get_num_threads()))
    newcomer.start()
    newcomer.join()
    assert met == [5]


def test_what_work_raises_comes_out_and_ends_the_rest() -> None:
    begun: list[int] = []

    def work(item: int, cancellation: Cancellation) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("two")
        while item == 3 and not cancellation.cancelled:
            time.sleep(0.001)
        return item

    seen = []
    with pytest.raises(ValueError, match="two"):
        for item, _ in in_order(work, range(100), 2):
            seen.append(item)
    assert seen == [0, 1] and len(begun) <= 2 + AHEAD * 2


@pytest.mark.parametrize("threads", [1, 2])
def test_what_the_items_raise_comes_behind_the_others(threads: int) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ValueError("no more")

    seen = []
    with pytest.raises(ValueError, match="no more"):
        for item, _ in in_order(lambda item, _: item, items(), threads):
            seen.append(item)
    assert seen == [0, 1, 2]


def test_one_thread_takes_nothing_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(5):
            taken.append(i)
            yield i

    for item, _ in in_order(lambda item, _: item, items(), 1):
        assert taken == list(range(item + 1))
