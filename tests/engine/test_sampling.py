"""Samples: the engine draws what the slow reference draws, whatever the batch, and as often as it should."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps
from table_step import TableStep
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import Numerics, Sampling, SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.testing.reference.sampling import philox, warp
from seq2seq_kit.testing.reference_search import reference_search


@st.composite
def warpers(draw: st.DrawFn) -> dict[str, float]:
    """Some of the options that narrow a distribution."""
    chosen = {
        "top_h": st.sampled_from([0.2, 0.6, 0.9, 1.0]),
        "top_k": st.sampled_from([1, 2, 5, 40]),
        "top_p": st.sampled_from([0.0, 0.3, 0.9, 0.999]),
        "min_p": st.sampled_from([0.02, 0.3, 1.0]),
        "typical_p": st.sampled_from([0.1, 0.5, 0.95]),
        "epsilon": st.sampled_from([0.001, 0.05, 0.5]),
        "eta": st.sampled_from([0.001, 0.05, 0.5]),
    }
    return {name: draw(values) for name, values in chosen.items() if draw(st.integers(0, 2)) == 0}


@st.composite
def sampling_options(draw: st.DrawFn, vocab: int) -> SearchOptions:
    options = draw(search_options(vocab))
    options = replace(
        options,
        **draw(warpers()),
        semantics=draw(st.sampled_from(["kit", "hf"])),
        sampling=draw(st.sampled_from(["tokens", "beams"])),
        seed=draw(st.sampled_from([0, 1, 2**40, 2**63 - 1])),
    )
    return draw(blocking_options(options, vocab)) if draw(st.booleans()) else options


@st.composite
def inputs(draw: st.DrawFn, options: SearchOptions, vocab: int, batch: int) -> list[SentenceInput]:
    sentences = draw(st.lists(sentence_inputs(options, vocab), min_size=batch, max_size=batch))
    return [replace(sentence, key=draw(st.sampled_from([i, i + 2**31]))) for i, sentence in enumerate(sentences)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_engine_equals_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps())
    batch, _, vocab = step.table.shape
    options = data.draw(sampling_options(vocab))
    sentences = data.draw(inputs(options, vocab, batch))

    found = search(step, step.state(), options, sentences=sentences, _shrink=data.draw(st.booleans(), "shrink"))
    for b in range(batch):
        assert found[b] == reference_search(step.scores(b), options, sentences[b], kind=step.kind)


@settings(max_examples=60, deadline=None)
@given(warpers(), st.integers(0, 2**32), st.sampled_from([1, 63, 64, 1000, 5000]), st.sampled_from([0.5, 3.0, 12.0]))
def test_warpers_of_long_rows(options: dict[str, float], seed: int, vocab: int, scale: float) -> None:
    """The engine passes over blocks and sorts as little as it can; yet it draws from what the reference keeps."""
    row = torch.randn(vocab, generator=torch.Generator().manual_seed(seed)) * scale
    chosen = SearchOptions(
        256, 256, **options, sampling="beams", seed=seed, max_length=1, eos_ids=(), numerics="reference", bos_id=0
    )
    found = {
        hypothesis.tokens[0] for hypothesis in search(lambda *_: row.view(1, 1, -1), options=chosen, batch_size=1)[0]
    }
    kept = warp(row.log_softmax(0), chosen)
    weighty = (kept > kept.max() - 20).nonzero().flatten().tolist()
    assert found <= set((kept > -math.inf).nonzero().flatten().tolist())
    assert len(found) == 256 or found >= set(weighty)


SENTENCES = 64


@pytest.mark.parametrize("numerics", ["reference", "fast"])
@pytest.mark.parametrize("sampling", ["tokens", "beams"])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_samples_do_not_depend_on_the_batch(size: int, sampling: Sampling, numerics: Numerics) -> None:
    table = torch.randn(SENTENCES, 211, 90, generator=torch.Generator().manual_seed(1)) * 2
    table[:, :, 2] += 2  # hypotheses end at many different lengths, so that batches shrink
    step = TableStep(table)
    options = SearchOptions(
        4, 4, max_length=30, numerics=numerics, sampling=sampling, seed=5, top_k=30, top_p=0.95, repetition_penalty=1.2
    )

    def sample(chosen: list[int], **how: bool) -> list[list[Hypothesis]]:
        return search(step, step.state(chosen), options, sentences=[SentenceInput(key=i) for i in chosen], **how)

    order = list(range(SENTENCES))
    whole = sample(order)
    assert sample(order, _shrink=False) == whole
    assert len({len(sentence[0].tokens) for sentence in whole}) > 5

    random.Random(size).shuffle(order)
    for start in range(0, SENTENCES, size):
        chosen = order[start : start + size]
        assert sample(chosen) == [whole[i] for i in chosen]


def draw_once(row: Tensor, times: int, **options: object) -> Counter[int]:
    """How often each token comes first, in ``times`` sentences of the same scores."""
    chosen = SearchOptions(**{"max_length": 1, "eos_ids": (), "seed": 11, "beam_size": 1} | options)
    found = search(lambda tokens, *_: row.expand(*tokens.shape, -1), options=chosen, batch_size=times)
    return Counter(hypothesis.tokens[0] for sentence in found for hypothesis in sentence)


def chi_square(counts: Counter[int], probabilities: Tensor) -> tuple[float, int]:
    """Pearson's statistic and its degrees of freedom; tokens expected fewer than 5 times are counted as one."""
    total = sum(counts.values())
    expected = {token: p * total for token, p in enumerate(probabilities.tolist())}
    rare = {token for token, often in expected.items() if often < 5}
    cells = [(counts[token], often) for token, often in expected.items() if token not in rare]
    if rare:
        cells.append((sum(counts[token] for token in rare), max(1.0, sum(expected[token] for token in rare))))
    return sum((often - hoped) ** 2 / hoped for often, hoped in cells), len(cells) - 1


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 1.7}, {"top_k": 12}, {"top_p": 0.8, "min_p": 0.02}, {"suppress": (3, 4, 5)}],
    ids=["plain", "temperature", "top_k", "top_p_min_p", "suppress"],
)
def test_tokens_come_as_often_as_they_are_likely(options: dict[str, object]) -> None:
    row = torch.randn(100, generator=torch.Generator().manual_seed(2)) * 1.5
    times, samples = 2000, 50
    counts = draw_once(row, times, beam_size=samples, n_best=samples, sampling="tokens", **options)
    log_probs = (row / options.get("temperature", 1.0)).log_softmax(0)
    log_probs[list(options.get("suppress", ()))] = -math.inf
    probabilities = warp(log_probs, SearchOptions(**options)).softmax(0)
    assert sum(counts.values()) == times * samples
    statistic, freedom = chi_square(counts, probabilities)
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)  # one in millions, were the seed another


def test_candidates_come_as_often_as_they_are_likely() -> None:
    """Two of four, without replacement: p_i p_j / (1 - p_i) + p_j p_i / (1 - p_j)."""
    p = torch.tensor([0.1, 0.2, 0.3, 0.4])
    options = SearchOptions(2, 2, sampling="beams", seed=3, max_length=1, eos_ids=(), bos_id=0)
    found = search(lambda tokens, *_: p.log().expand(*tokens.shape, -1), options=options, batch_size=20_000)
    pairs = Counter(tuple(sorted(hypothesis.tokens[0] for hypothesis in sentence)) for sentence in found)
    expected = {(i, j): p[i] * p[j] * (1 / (1 - p[i]) + 1 / (1 - p[j])) for i in range(4) for j in range(i + 1, 4)}
    statistic, freedom = chi_square(
        Counter({n: pairs[pair] for n, pair in enumerate(expected)}), torch.tensor(list(expected.values()))
    )
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)


def test_an_unlikely_token_is_drawn_when_the_likely_one_is_barred() -> None:
    row = torch.tensor([0.0, -80.0, -80.5])
    counts = draw_once(row, 1000, sampling="tokens", suppress=(0,))
    assert set(counts) == {1, 2} and counts[1] > counts[2] > 300


def test_samples_are_independent_and_ranked_by_score() -> None:
    row = torch.randn(50, generator=torch.Generator().manual_seed(4))
    options = SearchOptions(20, 20, sampling="tokens", seed=1, max_length=6, eos_ids=(0,), bos_id=0)
    [found] = search(lambda tokens, *_: row.expand(*tokens.shape, -1), options=options, batch_size=1)
    assert len(found) == 20 and len({tuple(hypothesis.tokens) for hypothesis in found}) > 15
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    fewer = search(lambda tokens, *_: row.expand(*tokens.shape, -1), options=replace(options, n_best=3), batch_size=1)
    assert fewer[0] == found[:3]


def test_log_probabilities_are_those_before_the_warpers() -> None:
    row = torch.randn(50, generator=torch.Generator().manual_seed(6))
    options = SearchOptions(1, sampling="tokens", seed=1, top_k=2, temperature=0.5, max_length=1, eos_ids=())
    [[found]] = search(lambda tokens, *_: row.expand(*tokens.shape, -1), options=options, batch_size=1)
    assert found.log_prob == pytest.approx((row / 0.5).log_softmax(0)[found.tokens[0]].item(), abs=1e-6)


def test_seeds() -> None:
    step = TableStep(torch.randn(3, 7, 40, generator=torch.Generator().manual_seed(7)))

    def tokens(seed: int) -> list[list[int]]:
        options = SearchOptions(2, 2, sampling="tokens", seed=seed, max_length=8)
        return [h.tokens for sentence in search(step, step.state(), options) for h in sentence]

    assert tokens(3) == tokens(3) != tokens(4)
    torch.manual_seed(0)
    first, second = tokens(-1), tokens(-1)
    torch.manual_seed(0)
    assert [tokens(-1), tokens(-1)] == [first, second] and first != second


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"semantics": "marian", "sampling": "tokens"}, "sampling = 'tokens': .* 'marian' does not"),
        ({"semantics": "ct2", "sampling": "beams"}, "sampling = 'beams': .* 'ct2' does not"),
        ({"beam_size": 4, "groups": 2, "sampling": "beams"}, "sampling = 'beams' does not go together with .* groups"),
        ({"alternatives": True, "sampling": "tokens"}, "'tokens' does not go together with .* alternatives"),
    ],
)
def test_what_does_not_go_together(options: dict, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(lambda *_: torch.zeros(1, 1, 5), options=SearchOptions(**options), batch_size=1)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_on_the_vectors_of_its_authors(counter: tuple, key: tuple, expected: tuple) -> None:
    """Random123's known answers; the engine draws by the same numbers, as the tests above show."""
    assert philox(counter, key) == expected


class TestTorchGenerator:
    """``rng="torch"``: what torch.multinomial draws over the whole batch, as Hugging Face's loops do."""

    OPTIONS = SearchOptions(3, 3, semantics="hf", sampling="tokens", rng="torch", max_length=12, numerics="reference")

    def loop(self, step: TableStep, options: SearchOptions, scores: list) -> list[list[int]]:
        """GenerationMixin._sample: every row is drawn for at every step until all have ended."""
        rows: list[list[int]] = [[] for _ in range(len(step.table) * options.beam_size)]
        ended = [False] * len(rows)
        while not all(ended):
            logits = torch.stack([scores[i // options.beam_size](row) for i, row in enumerate(rows)])
            warped = torch.stack([warp((r / options.temperature).log_softmax(0), options) for r in logits])
            drawn = torch.multinomial(warped.softmax(-1), num_samples=1).flatten().tolist()
            for i, token in enumerate(drawn):
                rows[i].append(token)
                ended[i] |= token in options.eos_ids or len(rows[i]) >= options.max_length
        return rows

    def test_samples(self) -> None:
        table = torch.randn(5, 97, 60, generator=torch.Generator().manual_seed(8)) * 2
        table[:, :, 2] += 1.5
        step = TableStep(table)
        for options in (self.OPTIONS, replace(self.OPTIONS, top_k=7, temperature=1.4, top_p=0.9)):
            torch.manual_seed(9)
            rows = self.loop(step, options, [step.scores(b) for b in range(5)])
            torch.manual_seed(9)
            found = search(step, step.state(), options)
            seeded = search(step, step.state(), replace(options, seed=9))
            assert found == seeded
            for b in range(5):
                drawn = [cut(row, options) for row in rows[b * 3 : b * 3 + 3]]
                assert sorted(hypothesis.tokens for hypothesis in found[b]) == sorted(drawn)

    def test_beams_of_one_step(self) -> None:
        step = TableStep(torch.randn(4, 1, 30, generator=torch.Generator().manual_seed(10)))
        options = SearchOptions(3, 3, sampling="beams", rng="torch", max_length=1, eos_ids=(), bos_id=0)
        totals = torch.full((4, 3, 30), -math.inf)
        totals[:, 0] = step.table[:, 0].log_softmax(-1)
        torch.manual_seed(12)
        drawn = torch.multinomial(totals.flatten(1).softmax(-1), 3).tolist()
        torch.manual_seed(12)
        found = search(step, step.state(), options)
        assert [sorted(h.tokens[0] for h in sentence) for sentence in found] == [sorted(tokens) for tokens in drawn]

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_any_options(self, data: st.DataObject) -> None:
        """Nothing but what the counter's generator could draw, too: sums add up and results repeat."""
        step = data.draw(table_steps())
        batch, _, vocab = step.table.shape
        options = replace(data.draw(sampling_options(vocab)), rng="torch", seed=5)
        sentences = data.draw(inputs(options, vocab, batch))
        found = search(step, step.state(), options, sentences=sentences)
        assert found == search(step, step.state(), options, sentences=sentences)
        for sentence in found:
            for hypothesis in sentence:
                assert hypothesis.log_prob == sum_float32(hypothesis.token_log_probs) > -math.inf


def cut(row: list[int], options: SearchOptions) -> list[int]:
    """What a sample was when it ended."""
    for i, token in enumerate(row):
        if token in options.eos_ids:
            return row[: i + 1]
    return row


def sum_float32(numbers: list[float]) -> float:
    total = torch.zeros(())
    for number in numbers:
        total = total + number
    return total.item()
