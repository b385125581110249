"""A step is somebody's Python: what it raises, returns and holds."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, StepOutput

OPTIONS = SearchOptions(beam_size=2, max_length=5)


def state() -> DecoderState:
    return DecoderState(rows={"h": torch.zeros(2, 1, 3)}, history={"past": torch.zeros(2, 1, 0, 4)})


def good(tokens: Tensor) -> StepOutput:
    batch, beams = tokens.shape
    return StepOutput(
        torch.zeros(batch, beams, 6),
        rows={"h": torch.zeros(batch, beams, 3)},
        new_history={"past": torch.zeros(batch, beams, 1, 4)},
    )


def test_exceptions_come_out_as_they_are() -> None:
    error = KeyError("mine")

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        if position[0] == 2:
            raise error
        return good(tokens)

    with pytest.raises(KeyError) as caught:
        search(step, state(), OPTIONS)
    assert caught.value is error
    assert caught.traceback[-1].name == "step"


def change(**fields: Any) -> Callable[[StepOutput], StepOutput]:
    def apply(output: StepOutput) -> StepOutput:
        for name, value in fields.items():
            setattr(output, name, value(getattr(output, name)) if callable(value) else value)
        return output

    return apply


def put(value: float) -> Callable[[Tensor], Tensor]:
    def apply(scores: Tensor) -> Tensor:
        scores[-1, 0, 4] = value
        return scores

    return apply


WRONG = {
    "None": (lambda _: None, "the step returned a NoneType, expected a StepOutput"),
    "a tuple": (lambda output: (output.scores, output.rows), "the step returned a tuple, expected a StepOutput"),
    "logits alone": (lambda output: output.scores, r"the step returned rows none, but the decoder state has 'h'"),
    "scores: a list": (change(scores=[1.0]), "the step's scores is a list, expected a Tensor"),
    "scores: one beam": (
        change(scores=lambda s: s[:, 0]),
        r"scores have shape \[2, 6\], expected \[B, K, V\] with B = 2",
    ),
    "scores: lost sentence": (
        change(scores=lambda s: s[:1]),
        r"has shape \[1, 1, 6\], expected \[2, 1, ...\] = \[B, K, V\]",
    ),
    "scores: no token": (change(scores=lambda s: s[:, :, :0]), r"scores have no token: shape \[2, 1, 0\]"),
    "scores: integers": (change(scores=lambda s: s.long()), "scores have dtype long, expected a floating type"),
    "scores: another device": (change(scores=lambda s: s.to("meta")), "is on device meta, expected cpu"),
    "scores: NaN": (change(scores=put(float("nan"))), "sentence 1, step 0: the step's scores contain NaN"),
    "scores: +inf": (change(scores=put(float("inf"))), "sentence 1, step 0: the step's scores contain NaN or .inf"),
    "scores: positive": (change(kind="log_probs", scores=put(2.5)), "sentence 1, step 0: .* above 0"),
    "kind": (change(kind="probs"), "the kind of scores is 'probs', expected 'logits' or 'log_probs'"),
    "rows: a list": (change(rows=[]), "the step's rows is a list, expected a dict of tensors"),
    "rows: another name": (change(rows=lambda r: {"c": r["h"]}), "rows 'c', but the decoder state has 'h'"),
    "rows: one too many": (change(rows=lambda r: {**r, "c": r["h"]}), "rows 'h', 'c', but the decoder state has 'h'"),
    "rows: None inside": (change(rows={"h": None}), r"rows\['h'\] is a NoneType, expected a Tensor"),
    "rows: shape": (
        change(rows={"h": torch.zeros(2, 1, 4)}),
        r"rows\['h'\] has shape \[2, 1, 4\], expected \[2, 1, 3\]",
    ),
    "rows: dtype": (change(rows={"h": torch.zeros(2, 1, 3).half()}), r"rows\['h'\] has dtype half, expected float"),
    "rows: device": (change(rows={"h": torch.zeros(2, 1, 3, device="meta")}), r"rows\['h'\] is on device meta"),
    "history: missing": (change(new_history={}), "new_history none, but the decoder state has 'past'"),
    "history: the whole past": (
        change(new_history={"past": torch.zeros(2, 1, 2, 4)}),
        r"new_history\['past'\] has shape \[2, 1, 2, 4\], expected \[2, 1, 1, 4\] = .*the new position alone",
    ),
    "attention: shape": (change(attention=torch.zeros(2, 3)), r"attention has shape \[2, 3\], expected \[B, K, S\]"),
}


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("numerics", ["reference", "fast"])
@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_output_gets_a_sentence(fault: str, numerics: str, on_device: bool) -> None:
    apply, message = WRONG[fault]
    with pytest.raises(SearchError, match=message):
        search(
            lambda tokens, position, state: apply(good(tokens)),
            state(),
            SearchOptions(beam_size=2, max_length=5, numerics=numerics),
            _select_on_device=on_device,
        )


@pytest.mark.parametrize("on_device", [False, True])
def test_nan_in_a_slot_without_a_hypothesis_is_harmless(on_device: bool) -> None:
    """Dead slots repeat a live one; what a step computes there is ignored."""
    table = torch.zeros(2, 5)
    table[0, [0, 1, 4]] = -torch.inf  # sentence 0 has one token besides EOS: never more than one live hypothesis
    widths = []

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        widths.append(tokens.shape[1])
        scores = table[state.sentences["index"]].unsqueeze(1).repeat(1, tokens.shape[1], 1)
        scores[state.sentences["index"] == 0, 1:] = torch.nan
        return StepOutput(scores)

    state = DecoderState(sentences={"index": torch.arange(2)})
    found = search(step, state, SearchOptions(beam_size=3, n_best=3, max_length=3), _select_on_device=on_device)
    assert [hypothesis.tokens for hypothesis in found[0]] == [[2], [3, 2], [3, 3, 2]]
    assert max(widths) == 2


def test_a_step_that_is_no_function() -> None:
    with pytest.raises(SearchError, match="step = 3 cannot be called"):
        search(3, batch_size=1)  # type: ignore[arg-type]


SEARCHES = {
    "a Python step": "search(lambda *_: scores, batch_size=1, options=options)",
    "a native step": "_engine.search_table(scores, 'logits', _native(options), [_engine.SentenceInput()], Call())",
}


@pytest.mark.parametrize("call", SEARCHES)
def test_ctrl_c_ends_a_search(call: str) -> None:
    """SIGINT becomes KeyboardInterrupt within the step it arrives in, also where no Python runs at all."""
    program = f"""
import signal
import torch
from seq2seq_kit import _engine
from seq2seq_kit.decoding.search import Call, SearchOptions, _native, search
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told its background jobs to ignore it
scores = torch.zeros(1, 1, 5)
scores[..., 3] = 50.0
options = SearchOptions(1, max_length=100_000_000)
print("searching", flush=True)
try:
    {SEARCHES[call]}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "searching\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0] == "interrupted\n"  # long before the end of the search
    finally:
        process.kill()


def test_threads_search_at_once() -> None:
    """Searches on several threads share nothing, and each equals the same search alone."""
    steps = [TableStep(torch.randn(5, 97, 40, generator=torch.Generator().manual_seed(i))) for i in range(6)]
    options = SearchOptions(beam_size=4, n_best=4, max_length=40, attention=True)
    expected = [search(step, step.state(), options) for step in steps]
    found: list[list[object]] = [[] for _ in steps]

    def work(i: int) -> None:
        for _ in range(5):
            found[i].append(search(steps[i], steps[i].state(), options))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[each] * 5 for each in expected]


def test_the_gil_is_free_between_steps() -> None:
    """Another Python thread runs on while the engine selects."""
    done = False
    turns = 0

    def count() -> None:
        nonlocal turns
        while not done:
            turns += 1
            time.sleep(0)  # offers the GIL, so that the search gets it back

    scores = {beams: torch.randn(32, beams, 30_000) for beams in (1, 2, 3, 4)}
    seen: list[int] = []

    def step(tokens: Tensor, position: Tensor, state: DecoderState) -> Tensor:
        seen.append(turns)
        return scores[tokens.shape[1]]  # nothing here gives the GIL up

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody is made to give the GIL up
    thread = threading.Thread(target=count)
    try:
        thread.start()
        search(step, batch_size=32, options=SearchOptions(beam_size=4, max_length=5, eos_ids=()))
    finally:
        done = True
        sys.setswitchinterval(interval)
        thread.join()
    assert len(seen) == 5
    assert seen[-1] > seen[1]
