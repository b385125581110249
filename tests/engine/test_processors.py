"""Options that block or bias tokens: the engine equals the reference bit for bit, whatever the batch."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import blocking_options, search_options, sentence_inputs, table_steps
from table_step import TableStep

from seq2seq_kit.decoding.constraints import trie
from seq2seq_kit.decoding.inputs import Automaton, SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.errors import SearchError
from seq2seq_kit.testing.reference import processors
from seq2seq_kit.testing.reference_search import reference_search

SENTENCES, VOCAB, EOS = 64, 40, 2


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_engine_equals_reference(data: st.DataObject) -> None:
    step = data.draw(table_steps(max_vocab=8))
    batch, _, vocab = step.table.shape
    options = data.draw(blocking_options(data.draw(search_options(vocab)), vocab))
    sentences = [data.draw(sentence_inputs(options, vocab)) for _ in range(batch)]
    found = search(
        step,
        step.state(),
        options,
        sentences=sentences,
        _select_on_device=data.draw(st.booleans(), "select on device"),
        _shrink=data.draw(st.booleans(), "shrink"),
    )
    for b, sentence in enumerate(sentences):
        assert found[b] == reference_search(step.scores(b), options, sentence, kind=step.kind)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_many_arcs_and_many_barred_tokens(data: st.DataObject) -> None:
    """What may follow, and what may not, is then marked, not listed."""
    vocab = 300
    draws = random.Random(data.draw(st.integers(0, 2**32)))
    step = TableStep(torch.randn(2, 7, vocab, generator=torch.Generator().manual_seed(draws.randrange(2**32))).round())
    arcs = [{token: draws.randrange(3) for token in draws.sample(range(2 * vocab), size)} for size in (300, 5, 200)]
    automaton = Automaton(arcs, frozenset(draws.sample(range(3), 2)))
    options = data.draw(blocking_options(data.draw(search_options(vocab)), vocab))
    barred = {name: tuple(draws.sample(range(vocab), 150)) for name in ("suppress", "suppress_at_start", "bad_words")}
    barred["bad_words"] = tuple((token,) for token in barred["bad_words"])
    options = replace(options, **{name: tokens for name, tokens in barred.items() if draws.random() < 0.4})
    sentences = [SentenceInput(4, (1, 2, 3, 4), automaton=automaton), SentenceInput(2, (5, 6))]
    found = search(step, step.state(), options, sentences=sentences)
    assert found == [reference_search(step.scores(b), options, sentences[b], kind=step.kind) for b in range(2)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_impossible_stays_so(data: st.DataObject) -> None:
    """No option makes NaN of -inf, or revives what has no probability; only Hugging Face scores a forced token 0."""
    step = data.draw(table_steps(max_vocab=8, max_batch=1))
    vocab = step.table.shape[2]
    options = data.draw(blocking_options(data.draw(search_options(vocab)), vocab))
    sentence = data.draw(sentence_inputs(options, vocab))
    generated = data.draw(st.lists(st.integers(0, vocab - 1), max_size=8))
    row = step.table[0, 0].log_softmax(-1).nan_to_num(-math.inf, neginf=-math.inf)
    edited = processors.apply(row, generated, options, sentence, limit=8)
    assert not edited.isnan().any()
    assert (edited[row == -math.inf] == -math.inf).all()


EACH: dict[str, dict[str, Any]] = {
    "n-grams": {"no_repeat_ngram": 2, "no_repeat_ngram_except": (5,), "no_repeat_ngram_source": 2},
    "repetition": {"repetition_penalty": 1.3, "repetition_penalty_source": 1.2},
    "phrases": {"bad_words": ((4,), (5, 6), (7, 8, 9)), "sequence_bias": (((6,), 0.5), ((3, 4), -1.0), ((6, 6), 1.0))},
    "suppressed": {"suppress": (7, 9), "suppress_at_start": (3, EOS), "unk_id": 11, "unk_penalty": 2.0},
    "forced": {"forced_first": 12, "forced_last": EOS},
    "decay": {"length_decay_start": 3, "length_decay_factor": 1.05, "min_new_tokens": 2, "max_new_tokens": 15},
    "favoured prefix": {"prefix_bias": 0.6},
}


def inputs() -> list[SentenceInput]:
    """Ragged prefixes, sources and banned phrases; every fourth sentence has an automaton."""
    draws = random.Random(7)

    def tokens(least: int, most: int) -> tuple[int, ...]:
        return tuple(draws.randrange(3, VOCAB) for _ in range(draws.randint(least, most)))

    found = []
    for b in range(SENTENCES):
        outputs = [tokens(1, 9) for _ in range(20)]
        constrained = b % 4 == 0
        source = tokens(1, 20)
        sentence = SentenceInput(
            source_length=len(source),
            source=source,
            prefix=draws.choice(outputs)[: draws.randint(0, 3)] if constrained else tokens(0, 4),
            banned=[] if constrained else [tokens(1, 3) for _ in range(draws.randint(0, 3))],
            automaton=trie(outputs) if constrained else None,
        )
        found.append(sentence)
    return found


@pytest.mark.parametrize("numerics", ["reference", "fast"])
@pytest.mark.parametrize("name", [*EACH, "all"])
def test_batch_invariance(name: str, numerics: str) -> None:
    """Bit for bit the same in batches of 1, 7 and 64, shuffled, with sentences leaving the batch or not."""
    table = torch.randn(SENTENCES, 211, VOCAB, generator=torch.Generator().manual_seed(1)) * 2
    table[:, :, EOS] += 2  # hypotheses end at many different lengths, so that batches shrink
    step = TableStep(table)
    chosen = {field: value for options in EACH.values() for field, value in options.items()}
    del chosen["prefix_bias"], chosen["forced_first"]
    options = SearchOptions(beam_size=4, n_best=4, max_length=20, numerics=numerics)
    options = replace(options, **EACH.get(name, chosen))
    sentences = inputs()
    whole = search(step, step.state(), options, sentences=sentences)
    assert len({len(best.tokens) for best, *_ in filter(None, whole)}) > 5

    order = list(range(SENTENCES))
    for size in (1, 7, 64):
        for shrink in (True, False):
            random.Random(size).shuffle(order)
            for start in range(0, SENTENCES, size):
                batch = order[start : start + size]
                given = [sentences[b] for b in batch]
                found = search(step, step.state(batch), options, sentences=given, _shrink=shrink)
                assert found == [whole[b] for b in batch]


def one(options: SearchOptions, sentence: SentenceInput = SentenceInput(), vocab: int = 8) -> list[list[int]]:
    """The outputs of a step that likes low tokens."""
    table = torch.linspace(1, 0, vocab).expand(1, 1, vocab)
    found = search(TableStep(table), TableStep(table).state(), options, sentences=[sentence])
    return [hypothesis.tokens for hypothesis in found[0]]


GREEDY = SearchOptions(beam_size=1, max_length=4, eos_ids=(7,))


def test_a_forced_prefix_keeps_its_own_log_probability_whatever_else_is_asked() -> None:
    table = torch.linspace(1, 0, 8).expand(1, 1, 8)
    options = replace(GREEDY, suppress=(5,), repetition_penalty=3.0, unk_id=5, unk_penalty=1.0, forced_first=1)
    sentence = SentenceInput(prefix=(5, 5), banned=[(5,)])
    (found,) = search(TableStep(table), TableStep(table).state(), options, sentences=[sentence])[0]
    own = table[0, 0].log_softmax(-1)
    assert found.tokens == [5, 5, 0, 1, 7]
    assert found.token_log_probs[:2] == pytest.approx([own[5].item()] * 2)
    assert found.token_log_probs[3] == pytest.approx(own[1].item())  # 0 has been written, 1 has not


def test_a_prefix_may_end_the_output() -> None:
    options = replace(GREEDY, min_length=3)
    assert one(options, SentenceInput(prefix=(5, 7))) == [[5, 7]]
    assert one(options, SentenceInput(prefix=(5, 5, 5, 5, 7))) == [[5, 5, 5, 5, 7]]
    assert one(options, SentenceInput(prefix=(5, 5, 5, 5))) == [[5, 5, 5, 5, 7]]


def test_prefixes_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(SearchError, match="sentence 0: the prefix goes on after an end symbol"):
        one(GREEDY, SentenceInput(prefix=(7, 1)))
    with pytest.raises(SearchError, match="sentence 0: the prefix has 5 tokens, but the sentence's limit is 4"):
        one(GREEDY, SentenceInput(prefix=(5, 5, 5, 5, 5)))
    with pytest.raises(SearchError, match="the automaton does not let token 3 of the prefix come where it does"):
        one(GREEDY, SentenceInput(prefix=(2, 3), automaton=trie([(2, 2)])))


def test_a_favoured_prefix_is_followed_where_it_pays() -> None:
    sentence = SentenceInput(prefix=(5, 6, 5))
    assert one(replace(GREEDY, prefix_bias=0.01), sentence) == [[0, 0, 0, 0, 7]]
    assert one(replace(GREEDY, prefix_bias=0.5), sentence) == [[5, 6, 5, 0, 7]]
    assert one(replace(GREEDY, prefix_bias=0.5, suppress=(6,)), sentence) == [[5, 0, 0, 0, 7]]


def test_the_last_token_is_an_end_symbol() -> None:
    options = replace(GREEDY, eos_ids=(6, 7), suppress_at_start=(0, 1))
    assert one(options) == [[2, 0, 0, 0, 6]]
    assert one(replace(options, forced_last=7)) == [[2, 0, 0, 0, 7]]
    assert one(replace(options, eos_ids=(), forced_last=5)) == [[2, 0, 0, 5]]
    with pytest.raises(SearchError, match="forced_last = 5: with semantics 'kit'"):
        one(replace(options, forced_last=5))


def test_nothing_follows_once_an_automaton_is_left() -> None:
    automaton = Automaton([{1: 0}], frozenset({0}))
    assert one(GREEDY, SentenceInput(automaton=automaton)) == [[1, 1, 1, 1, 7]]
    assert one(replace(GREEDY, forced_first=3), SentenceInput(automaton=automaton)) == []


@pytest.mark.parametrize("field", ["no_repeat_ngram_source", "repetition_penalty_source"])
def test_options_of_the_source_need_its_tokens(field: str) -> None:
    options = replace(GREEDY, **{field: 2})
    assert one(options, SentenceInput(source=(0, 1)))
    for sentence in (SentenceInput(), SentenceInput(source_length=3)):
        with pytest.raises(SearchError, match=f"{field} needs the tokens of every source"):
            one(options, sentence)
    with pytest.raises(SearchError, match="needs the tokens"):
        search(lambda tokens, position, state: torch.zeros(*tokens.shape, 8), options=options, batch_size=2)


def test_tokens_of_a_source_need_not_be_scored() -> None:
    sentence = SentenceInput(source=(0, 99, 1_000_000))
    options = replace(GREEDY, no_repeat_ngram_source=1, repetition_penalty_source=2.0)
    assert one(options, sentence) == [[1, 1, 1, 1, 7]]
