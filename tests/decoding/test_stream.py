"""Text in pieces: never taken back, equal to the whole in the end, and the search ends with its reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seq2seq_kit
from seq2seq_kit.config import validate
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.decoding.search import Cancellation
from seq2seq_kit.decoding.stream import stream
from seq2seq_kit.errors import SearchCancelled, UserError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.translation import Translation, TranslationConfig


@pytest.fixture(scope="module")
def pipeline(tiny_run: Path) -> Pipeline:
    return seq2seq_kit.load(tiny_run)


@pytest.mark.parametrize(
    "options", [{"beam_size": 1}, {"beam_size": 4}, {"sampling": "tokens", "seed": 3, "beam_size": 1}]
)
def test_the_pieces_are_the_text(pipeline: Pipeline, options: dict) -> None:
    for source in ["one two", "ten six three", ""]:
        pieces = list(pipeline.stream(source, **options))
        assert all(pieces) and "".join(pieces) == pipeline.translate([source], **options)[0].text
    assert list(pipeline.stream("one two", beam_size=1)) == ["un", " deux"]
    assert "".join(pipeline.stream("one two", prefix="dix")).startswith("dix")


TOKENIZERS: dict[str, dict] = {
    "word": {},
    "char": {},
    "bpe": {"vocab_size": 290, "byte_fallback": True},
    "unigram": {"vocab_size": 290, "byte_fallback": True},
}


@cache
def task(name: str) -> Translation:
    """A task whose tokenizer has seen few characters."""
    section = {"name": "translation", "source_tokenizer": {"name": name, **TOKENIZERS[name]}}
    made = Translation(validate(TranslationConfig, section, "test"))
    made.prepare([Example("Ada mange, là-bas !", "Ada mange, là-bas !")] * 3)
    return made


def told(task: Translation, tokens: list[int]) -> Callable[..., list[list[Hypothesis]]]:
    """A search that tells of one token after the other."""

    def run(on_tokens: Callable[[int, list[int]], None], cancellation: Cancellation) -> list[list[Hypothesis]]:
        for token in tokens:
            on_tokens(0, [token])
        return [[Hypothesis(tokens, -1.0, -1.0, [-1.0] * len(tokens))]]

    return run


@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_later_tokens_may_change_is_held_back(name: str) -> None:
    made = task(name)
    for text in ["Ada mange là-bas, Ada !", "Ada 世界 é€ mange", "l'été"]:
        [encoded] = made.encode([Example("", text)])
        whole = made.decode(Example(""), [Hypothesis(encoded.target, 0.0, 0.0, [])]).text
        pieces = list(stream(made, Example(""), told(made, encoded.target)))
        assert "".join(pieces) == whole and "\ufffd" not in whole and len(pieces) > 1


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_nothing_is_taken_back_whatever_is_written(name: str, data: st.DataObject) -> None:
    """Even bytes that are no character: any tokens in any order."""
    made = task(name)
    special = {made.target_spec.pad_id, made.target_spec.bos_id, made.target_spec.eos_id}
    token = st.integers(3, made.target_spec.vocab_size - 1).filter(lambda i: i not in special)
    tokens = [*data.draw(st.lists(token, max_size=12)), made.target_spec.eos_id]
    whole = made.decode(Example(""), [Hypothesis(tokens, 0.0, 0.0, [])]).text
    assert "".join(stream(made, Example(""), told(made, tokens))) == whole


def test_a_reader_who_leaves_ends_the_search(pipeline: Pipeline) -> None:
    before = threading.active_count()
    pieces = pipeline.stream("one two", beam_size=1, min_length=10**6, max_length=10**6)
    assert next(pieces)
    pieces.close()
    assert threading.active_count() == before


def test_what_a_search_raises_comes_out(pipeline: Pipeline) -> None:
    with pytest.raises(UserError, match="beam_size"):
        list(pipeline.stream("one two", beam_size=0))

    def cancelled(on_tokens: Callable[[int, list[int]], None], cancellation: Cancellation) -> list[list[Hypothesis]]:
        raise SearchCancelled("by somebody else")

    with pytest.raises(SearchCancelled, match="somebody"):
        list(stream(pipeline.task, Example("one"), cancelled))
