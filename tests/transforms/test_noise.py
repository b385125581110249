"""Noise on training examples: within its bounds, at its rate, the same for the same generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_kit.config import validate
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Transform
from seq2seq_kit.registry import build
from seq2seq_kit.tasks.translation import Translation, TranslationConfig

TEXTS = ["the lowest newer wider lower new low", "the wider newest lowest low", "new lower wide the the"] * 3


def task_of(tokenizer: str | dict[str, Any], **more: Any) -> Translation:
    task = Translation(validate(TranslationConfig, {"source_tokenizer": tokenizer, **more}, "test"))
    task.prepare([Example(text, text) for text in TEXTS])
    return task


@pytest.fixture(scope="module")
def bpe_task() -> Translation:
    return task_of({"name": "bpe", "vocab_size": 40})


def noise(section: dict[str, Any] | str, task: Translation) -> Transform:
    values = {"train": ["a"], "dev": ["a"], "transforms": [section]}
    return build("transform", validate(DataConfig, values, "test").transforms[0], task)


def test_word_dropout_drops_at_its_rate_and_keeps_the_order(bpe_task: Translation) -> None:
    words = [str(i) for i in range(1000)]
    drop, generator = noise({"name": "word_dropout", "rate": 0.2}, bpe_task), np.random.default_rng(1)
    result = drop.on_text(Example(" ".join(words), "target"), generator)
    assert result is not None and result.target == "target"
    left = [int(word) for word in result.source.split()]
    assert left == sorted(left) and 750 < len(left) < 850
    most = noise({"name": "word_dropout", "rate": 0.99}, bpe_task)
    assert all(most.on_text(Example("a b"), generator).source in ("a", "b", "a b") for _ in range(50))  # type: ignore[union-attr]


def test_word_swap_moves_no_word_too_far(bpe_task: Translation) -> None:
    swap, generator = noise({"name": "word_swap", "distance": 2}, bpe_task), np.random.default_rng(1)
    result = swap.on_text(Example(" ".join(map(str, range(500)))), generator)
    assert result is not None
    moved = np.array([int(word) for word in result.source.split()]) - np.arange(500)
    assert 0 < np.abs(moved).max() <= 2


def test_token_mask_hides_sources_but_not_their_end(bpe_task: Translation) -> None:
    mask, generator = noise({"name": "token_mask", "rate": 0.3}, bpe_task), np.random.default_rng(1)
    result = mask.on_ids(EncodedExample([7] * 1000 + [2], [8, 2], id=3), Example(""), generator)
    assert result is not None and result.target == [8, 2] and result.id == 3 and result.source[-1] == 2
    assert set(result.source[:-1]) == {7, 3} and 250 < result.source.count(3) < 350


@settings(deadline=None, max_examples=50)
@given(st.text(st.sampled_from("thelowrnwids é<,. "), max_size=30))
def test_without_dropout_the_merges_are_those_of_the_library(bpe_task: Translation, text: str) -> None:
    tokenizer = bpe_task.source_tokenizer
    with tokenizer.sampling(0.0, np.random.default_rng(0)):
        sampled = tokenizer.encode([text])
    assert sampled == tokenizer.encode([text])


def test_unknown_characters_become_bytes_where_the_tokenizer_has_them() -> None:
    tokenizer = task_of({"name": "bpe", "vocab_size": 300, "byte_fallback": True}).source_tokenizer
    with tokenizer.sampling(0.0, np.random.default_rng(0)):
        assert tokenizer.encode(["low é low"]) == tokenizer.encode(["low é low"])


def test_bpe_dropout_segments_the_same_text_in_many_ways(bpe_task: Translation) -> None:
    dropout = noise({"name": "bpe_dropout", "rate": 0.3, "sides": ["source"]}, bpe_task)
    example = Example("lowest newest", "lower")
    [plain] = bpe_task.encode([example])

    def drawn(seed: int) -> EncodedExample:
        result = dropout.on_ids(plain, example, np.random.default_rng(seed))
        assert result is not None
        return result

    results = [drawn(seed) for seed in range(30)]
    assert all(r.target == plain.target and r.source[-1] == 2 for r in results)
    assert {bpe_task.source_tokenizer.decode(r.source) for r in results} == {"lowest newest"}
    assert len({tuple(r.source) for r in results}) > 5
    assert results == [drawn(seed) for seed in range(30)]
    assert bpe_task.encode([example]) == [plain]  # the tokenizer is as it was


def test_the_share_of_kept_merges_is_one_minus_the_rate() -> None:
    """Of the one possible merge of "▁a", which is passed over with probability 0.4."""
    task = Translation(validate(TranslationConfig, {"source_tokenizer": {"name": "bpe", "vocab_size": 7}}, "test"))
    task.prepare([Example("a a", "a a")] * 5)
    assert [len(ids) for ids in task.source_tokenizer.encode(["a"])] == [1]
    with task.source_tokenizer.sampling(0.4, np.random.default_rng(5)):
        lengths = [len(ids) for ids in task.source_tokenizer.encode(["a"] * 2000)]
    assert lengths.count(1) / 2000 == pytest.approx(0.6, abs=0.04)


def test_what_cannot_be_segmented_anew_is_refused() -> None:
    with pytest.raises(ConfigError, match="the source tokenizer, WordTokenizer, has one segmentation"):
        noise("bpe_dropout", task_of("word"))
    with pytest.raises(UserError, match="one segmentation"):
        task_of("char").source_tokenizer.sampling(0.1, np.random.default_rng(0))
