"""A caller's own processors, stop criterion, token stream, cancellation and deadline."""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import search_options, table_steps
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions, Semantics
from seq2seq_kit.decoding.processors import AllowedTokens, OperatorProcessor
from seq2seq_kit.decoding.search import Cancellation, search
from seq2seq_kit.errors import SearchCancelled, SearchError
from seq2seq_kit.interfaces import DecoderState, Memory, Processor, ProcessorOutput


class Alternate(Processor):
    """Bars every token of the parity of the one before, by a count that must follow its hypothesis."""

    def __init__(self, sparse: bool, vocab: int, shrink: bool) -> None:
        self.needs_scores = not sparse
        self.vocab, self.shrink = vocab, shrink

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        return DecoderState(rows={"last": torch.zeros(batch_size, 1, dtype=torch.int64)})

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput:
        last = tokens[:, :, -1]  # [B, K]
        position = tokens.shape[2] - 1
        if position > 1 and self.shrink:  # the state is what this processor saw for the hypothesis one step ago
            assert torch.equal(state.rows["last"], tokens[:, :, -2])
        new = {"last": last}
        if position == 0:
            return ProcessorOutput(scores=scores, state=new)
        if scores is not None:
            same = torch.arange(scores.shape[2]) % 2 == last.unsqueeze(-1) % 2  # [B, K, V]
            return ProcessorOutput(scores=scores.masked_fill(same, -math.inf), state=new)
        rows, barred = [], []
        for row, token in enumerate(last.flatten().tolist()):
            ids = range(token % 2, self.vocab, 2)
            rows += [row] * len(ids)
            barred += ids
        values = torch.full((len(rows),), -math.inf)
        return ProcessorOutput(rows=torch.tensor(rows), tokens=torch.tensor(barred), values=values, state=new)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_dense_and_sparse_processors_see_their_state_and_do_the_same(data: st.DataObject) -> None:
    step = data.draw(table_steps(max_vocab=20))
    options = data.draw(search_options(step.table.shape[2]))
    found = []
    for sparse in (False, True):
        shrink = data.draw(st.booleans())
        processor = Alternate(sparse, step.table.shape[2], shrink)
        lengths = [7] * len(step.table)
        found.append(
            search(step, step.state(), options, source_lengths=lengths, processors=[processor], _shrink=shrink)
        )
    assert found[0] == found[1]
    ends = set(options.eos_ids)
    for sentence in found[0]:
        for hypothesis in sentence:
            written = [token for token in hypothesis.tokens if token not in ends]
            assert all(one % 2 != other % 2 for one, other in itertools.pairwise(written))


def tables(vocab: int = 30) -> TableStep:
    return TableStep(torch.randn(6, 97, vocab, generator=torch.Generator().manual_seed(3)) * 2)


def test_a_processor_that_changes_nothing_changes_nothing() -> None:
    step = tables()
    options = SearchOptions(beam_size=4, n_best=4, max_length=9, numerics="reference")
    plain = search(step, step.state(), options)
    assert search(step, step.state(), options, processors=[lambda scores, tokens, state: scores]) == plain
    nothing = search(step, step.state(), options, processors=[lambda scores, tokens, state: ProcessorOutput()])
    assert nothing == plain


def test_an_operator_is_a_processor() -> None:
    @torch.library.custom_op("s2s_test::bar_odd", mutates_args=())
    def bar_odd(
        scores: Tensor, tokens: Tensor, rows: list[Tensor], sentences: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        odd = torch.arange(scores.shape[2]) % 2 == 1
        return scores.masked_fill(odd, -math.inf), [row + 1 for row in rows]

    step = tables()
    options = SearchOptions(beam_size=3, max_length=8)
    state = DecoderState(rows={"count": torch.zeros(6, 1)})
    found = search(step, step.state(), options, processors=[OperatorProcessor("s2s_test::bar_odd", state)])
    assert all(token % 2 == 0 for sentence in found for token in sentence[0].tokens)
    with pytest.raises(SearchError, match="processor 's2s_test::none': torch has no operator"):
        search(step, step.state(), options, processors=[OperatorProcessor("s2s_test::none")])


def test_a_function_of_allowed_tokens() -> None:
    step = tables()
    seen = []

    def allowed(sentence: int, tokens: list[int]) -> list[int]:
        seen.append(sentence)
        return [2, 5 + sentence, 6 + sentence]

    options = SearchOptions(beam_size=3, max_length=8)
    found = search(step, step.state(), options, processors=[AllowedTokens(allowed)])
    for sentence, hypotheses in enumerate(found):
        assert set(hypotheses[0].tokens) <= {2, 5 + sentence, 6 + sentence}
    assert set(seen) == set(range(6))


WRONG = {
    "shape": (lambda scores, tokens, state: scores[..., 1:], r"processor '<lambda>' returned scores of shape"),
    "type": (lambda scores, tokens, state: 7, "processor '<lambda>' returned a int, expected a ProcessorOutput"),
    "token": (
        lambda scores, tokens, state: ProcessorOutput(
            rows=torch.tensor([0]), tokens=torch.tensor([30]), values=torch.tensor([1.0])
        ),
        "tokens are between 30 and 30, expected 0 to 29",
    ),
    "NaN": (lambda scores, tokens, state: scores * math.nan, "NaN"),
    "state": (
        lambda scores, tokens, state: ProcessorOutput(scores=scores, state={"x": torch.zeros(1)}),
        "returned rows 'x', but",
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_processor_gets_a_sentence(fault: str) -> None:
    step = tables()
    apply, message = WRONG[fault]
    with pytest.raises(SearchError, match=message):
        search(step, step.state(), processors=[apply])


class Broken(Exception):
    pass


def fail(*arguments: object) -> Tensor:
    raise Broken("in a callback")


@pytest.mark.parametrize("callback", ["processors", "stop", "on_tokens"])
def test_what_a_callback_raises_comes_out(callback: str) -> None:
    step = tables()
    with pytest.raises(Broken, match="in a callback"):
        search(step, step.state(), **{callback: [fail] if callback == "processors" else fail})


def test_a_stop_criterion_ends_hypotheses() -> None:
    step = tables()
    options = SearchOptions(beam_size=4, n_best=4, max_length=30, length_penalty=0.5)

    def after_token_seven(tokens: Tensor, sums: Tensor) -> Tensor:
        assert tokens.shape[:2] == sums.shape
        return tokens[:, :, -1] == 7

    found = search(step, step.state(), options, stop=after_token_seven)
    stopped = [h for sentence in found for h in sentence if h.finish == "stopped"]
    assert stopped
    for hypothesis in (h for sentence in found for h in sentence):
        assert (hypothesis.finish == "stopped") == (hypothesis.tokens[-1] == 7)
        assert 7 not in hypothesis.tokens[:-1]
        assert hypothesis.score == hypothesis.log_prob / len(hypothesis.tokens) ** 0.5
    with pytest.raises(SearchError, match=r"the stop criterion returned shape \[1\]"):
        search(step, step.state(), options, stop=lambda tokens, sums: torch.ones(1, dtype=torch.bool))


@pytest.mark.parametrize("semantics", [each for each in get_args(Semantics) if each != "kit"])
def test_a_stop_criterion_ends_sentences_where_the_semantics_ends_no_hypotheses(semantics: Semantics) -> None:
    step = tables()
    options = SearchOptions(beam_size=3, n_best=3, max_length=20, min_length=6, semantics=semantics)
    streamed: dict[int, list[int]] = {b: [] for b in range(len(step.table))}

    def five_tokens(tokens: Tensor, sums: Tensor) -> Tensor:
        return torch.full(sums.shape, tokens.shape[-1] == 1 + 5)

    def on_tokens(sentence: int, tokens: list[int]) -> None:
        streamed[sentence] += tokens

    found = search(step, step.state(), options, stop=five_tokens, on_tokens=on_tokens)
    for b, sentence in enumerate(found):
        assert [(h.finish, len(h.tokens)) for h in sentence] == [("stopped", 5)] * 3
        assert [h.score for h in sentence] == sorted((h.score for h in sentence), reverse=True)
        assert streamed[b] == sentence[0].tokens
    # One sentence alone: the others go on to where they would end anyway.
    free = search(step, step.state(), options)
    first = search(step, step.state(), options, stop=lambda tokens, sums: _first_sentence(five_tokens(tokens, sums)))
    assert first[0] == found[0] and first[1:] == free[1:]


def _first_sentence(ended: Tensor) -> Tensor:
    return ended & (torch.arange(len(ended)) == 0).unsqueeze(-1)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_streamed_tokens_are_never_taken_back(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    options = data.draw(search_options(step.table.shape[2]))
    streams: dict[int, list[int]] = {b: [] for b in range(len(step.table))}

    def on_tokens(sentence: int, tokens: list[int]) -> None:
        assert tokens
        streams[sentence] += tokens

    lengths = [7] * len(step.table)
    found = search(step, step.state(), options, source_lengths=lengths, on_tokens=on_tokens)
    for b, sentence in enumerate(found):
        if sentence:
            assert streams[b] == sentence[0].tokens
    assert found == search(step, step.state(), options, source_lengths=lengths)


def test_greedy_streams_every_token_as_it_comes() -> None:
    step = tables()
    lengths: list[int] = []
    options = SearchOptions(beam_size=1, max_length=9, min_length=3)
    search(step, step.state([0]), options, on_tokens=lambda sentence, tokens: lengths.append(len(tokens)))
    assert len(lengths) >= 4 and set(lengths) == {1}


def slow(step: TableStep, seconds: float):  # type: ignore[no-untyped-def]
    def wait(tokens: Tensor, position: Tensor, state: DecoderState) -> object:
        time.sleep(seconds)
        return step(tokens, position, state)

    return wait


def test_another_thread_cancels() -> None:
    step = TableStep(torch.randn(2, 97, 30) * 0.1)
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    options = SearchOptions(beam_size=2, max_length=10**6, min_length=10**6)
    begin = time.monotonic()
    with pytest.raises(SearchCancelled):
        search(slow(step, 0.01), step.state(), options, cancellation=cancellation)
    assert cancellation.cancelled and time.monotonic() - begin < 5  # it would last hours


def test_at_the_deadline_the_best_so_far_is_returned_and_marked() -> None:
    step = TableStep(torch.randn(3, 97, 30) * 0.1)
    options = SearchOptions(beam_size=3, n_best=2, max_length=10**6, min_length=10**6, max_seconds=0.1)
    streamed: dict[int, list[int]] = {b: [] for b in range(3)}
    found = search(
        slow(step, 0.01), step.state(), options, on_tokens=lambda sentence, tokens: streamed[sentence].extend(tokens)
    )
    for b, sentence in enumerate(found):
        assert streamed[b] == sentence[0].tokens
        assert [h.finish for h in sentence] == ["deadline"] * 2
        assert sentence[0].score >= sentence[1].score and len(sentence[0].tokens) >= 1
        total = torch.zeros(())
        for log_prob in sentence[0].token_log_probs:
            total = total + log_prob
        assert sentence[0].log_prob == total.item()


def test_threads_search_side_by_side() -> None:
    step = tables()
    options = SearchOptions(beam_size=4, n_best=4, max_length=20)
    expected = search(step, step.state(), options)
    results: dict[int, list[list[Hypothesis]]] = {}

    def run(thread: int) -> None:
        for _ in range(5):
            results[thread] = search(step, step.state(), options)
            assert results[thread] == expected

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[i] for i in range(8)] == [expected] * 8
