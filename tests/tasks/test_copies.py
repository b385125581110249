"""What a task says of copying: which target token each source token is, words beyond the vocabulary among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from sound_decoder import CopyingDecoder

from seq2seq_kit.config import validate
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import ConfigError, DataError
from seq2seq_kit.interfaces import Batch, EncodedExample, Encoder, Example, Memory
from seq2seq_kit.model import Model
from seq2seq_kit.tasks.dialogue import DialogueConfig
from seq2seq_kit.tasks.summarization import Summarization, SummarizationConfig
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.testing import ContractError, check_task

LEARNT = [Example("the cat sat , the dog sat", "the cat , the dog")]
WORD = {"name": "word"}


def summarization(**section: Any) -> Summarization:
    values = {"source_tokenizer": WORD, "copying": True, **section}
    task = Summarization(validate(SummarizationConfig, values, "test"))
    task.prepare(LEARNT)
    return task


def translation(**section: Any) -> Translation:
    values = {"source_tokenizer": WORD, "target_tokenizer": WORD, "copying": True, **section}
    task = Translation(validate(TranslationConfig, values, "test"))
    task.prepare([Example("the cat sat" if "languages" not in section else "<2fr> the cat sat", "the chat")])
    return task


def hypothesis(tokens: list[int]) -> Hypothesis:
    return Hypothesis(tokens, -1.0, -1.0, [-1.0] * len(tokens), top_tokens=[[(token, -1.0)] for token in tokens])


def test_own_words_have_ids_beyond_the_vocabulary_in_source_and_target() -> None:
    task = summarization()
    known = task.target_spec.vocab_size
    example = Example("the Zebra , the Yak , the Zebra", "Zebra , cat , Newt")
    [encoded] = task.encode([example])
    ids = {name: task.target_tokenizer.encode([f"a {name}"])[0][-1] for name in ("the", "cat", ",")}
    comma = task.target_tokenizer.encode(["the , cat"])[0][1]
    assert encoded.source.count(3) == 3  # unknown to the encoder
    assert encoded.extras["copies"] == [ids["the"], known, comma, ids["the"], known + 1, comma, ids["the"], known, -1]
    assert encoded.target == [known, comma, ids["cat"], comma, 3, 2]  # a word of neither side is unknown
    output = task.decode(example, [hypothesis(encoded.target), hypothesis([known + 1, 2])])
    assert output.source_tokens == ["the", "Zebra", ",", "the", "Yak", ",", "the", "Zebra", "</s>"]
    assert task.decode(Example("the cat"), [hypothesis([known, 2])]).text == "<unk>"  # another source
    assert output.text == "Zebra , cat , <unk>" and output.alternatives[0].text == "Yak"
    assert output.tokens[0] == output.top_tokens[0][0][0] == "Zebra"


def test_words_that_touch_are_put_together_again() -> None:
    task = summarization()
    example = Example("the (Zebra) sat", "the (Zebra)")
    [encoded] = task.encode([example])
    assert max(encoded.target or []) >= task.target_spec.vocab_size
    output = task.decode(example, [hypothesis(encoded.target or [])])
    assert output.text == "the (Zebra)" and output.tokens == ["the", "(", "Zebra", ")"]


def test_a_batch_has_as_many_ids_as_its_richest_source() -> None:
    task = summarization()
    known = task.target_spec.vocab_size
    encoded = task.encode([Example("Ada Bea Cleo", "Cleo"), Example("the cat", "the"), Example("", "Ada")])
    batch = task.collate(encoded)
    assert batch.extras["own_words"].tolist() == [[True] * 3, [False] * 3, [False] * 3]
    assert batch.extras["copies"][0].tolist() == [known, known + 1, known + 2, -1]
    assert batch.extras["copies"].shape == batch.source.shape and batch.extras["copies"][2].tolist() == [-1] * 4
    assert batch.target is not None and batch.target[2].tolist() == [3, 2]  # not a word of its source
    assert task.collate(encoded[1:]).extras["own_words"].shape == (2, 0)


@pytest.mark.parametrize(("truncation", "own"), [("end", ["Ada", "Bea"]), ("start", ["Dora", "Eve"])])
def test_what_is_cut_off_cannot_be_copied(truncation: str, own: list[str]) -> None:
    task = summarization(max_source_length=3, truncation=truncation)
    example = Example("Ada Bea Cleo Dora Eve", "Bea Dora")
    [encoded] = task.encode([example])
    known = task.target_spec.vocab_size
    assert encoded.extras["copies"] == [known, known + 1, -1] and len(encoded.source) == 3
    assert sorted(encoded.target or []) == sorted([known + own.index("Bea" if "Bea" in own else "Dora"), 3, 2])
    assert task.decode(example, [hypothesis([known, known + 1, 2])]).text == " ".join(own)


def test_each_side_may_have_its_own_words_and_a_mark_is_not_copied() -> None:
    task = translation(languages=["fr", "de"])
    known = task.target_spec.vocab_size
    [encoded] = task.encode([Example("<2fr> the cat Zoe", "Zoe the")])
    the = task.target_tokenizer.encode(["the"])[0][0]
    assert encoded.extras["copies"] == [-1, the, known, known + 1, -1]  # "cat" is no word of the target's
    assert encoded.target == [known + 1, the, 2]
    assert task.reader(Example("<2fr> the cat Zoe")).decode([known, known + 1]) == "cat Zoe"


def test_subwords_of_one_vocabulary_are_copied_as_they_are() -> None:
    task = summarization(source_tokenizer={"name": "bpe", "vocab_size": 40})
    [encoded] = task.encode([Example("the cat Ω", "cat")])
    copied = [token if token not in (2, 3) else -1 for token in encoded.source]
    assert encoded.extras["copies"] == copied and -1 in copied[:-1]
    assert task.collate([encoded]).extras["own_words"].shape == (1, 0)


TEXTS = ["the cat and Ada", "the dog , Bea and the cat", "the Cleo and the dog"]
REVERSED = [Example(text, " ".join(text.split()[::-1]), id=i) for i, text in enumerate(TEXTS)]
RARE = {"source_tokenizer": {"name": "word", "min_frequency": 3}, "copying": True}


@pytest.mark.parametrize("section", [{}, {"source_tokenizer": {"name": "bpe", "vocab_size": 60}}])
def test_tasks_that_copy_keep_their_contract(section: dict[str, Any]) -> None:
    report = check_task(Summarization(validate(SummarizationConfig, {**RARE, **section}, "test")), REVERSED)
    assert {finding.check: finding.verdict for finding in report.findings}["copies"] == "ok"


class CountsOneWordTooMany(Summarization):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        batch = super().collate(examples)
        own_words = torch.nn.functional.pad(batch.extras["own_words"], (0, 1), value=True)
        return replace(batch, extras={**batch.extras, "own_words": own_words})


class CopiesWithoutTheEnd(Summarization):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        batch = super().collate(examples)
        return replace(batch, extras={**batch.extras, "copies": batch.extras["copies"][:, :-1]})


@pytest.mark.parametrize(
    ("planted", "sentence"),
    [
        (
            CountsOneWordTooMany,
            r"FAILED  copies: of example 0, id \d+ is either in copies or in own_words, not in both",
        ),
        (CopiesWithoutTheEnd, r"FAILED  copies: copies has shape \[3, 7\], .* must be \[B, S\] = \[3, 8\]"),
    ],
)
def test_what_a_task_says_wrongly_is_named(planted: type[Summarization], sentence: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_task(planted(validate(SummarizationConfig, RARE, "test")), REVERSED)
    assert re.search(sentence, " ".join(str(caught.value).split()).replace("FAILED ", "FAILED  ")), str(caught.value)


def test_a_transform_that_changes_their_number_is_named() -> None:
    task = summarization()
    [encoded] = task.encode([Example("the cat", "the", id=7)])
    with pytest.raises(DataError, match="example 7: has 2 source tokens and 3 to copy"):
        task.collate([replace(encoded, source=encoded.source[1:])])


def test_words_that_are_neither_whole_nor_shared_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"task.copying: .*one tokenizer .*or where tokens are whole words"):
        translation(source_tokenizer={"name": "bpe"})
    with pytest.raises(ConfigError, match="a dialogue copies no words"):
        validate(DialogueConfig, {"copying": True}, "test")


def test_unknown_words_are_replaced_where_a_text_is_cut_at_its_start() -> None:
    task = summarization(copying=False, max_source_length=3, truncation="start")
    attention = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = replace(hypothesis([3, 2]), attention=attention)
    assert task.decode_copying(Example("Ada Bea Cleo Dora"), [found], {}).text == "Dora"


class Silent(Encoder):
    """Says something of its own."""

    def forward(self, batch: Batch) -> Memory:
        return Memory(torch.zeros(*batch.source.shape, 2), batch.source_mask, extras={"mine": batch.source})


def test_a_decoder_finds_what_the_task_says_of_a_batch() -> None:
    batch = Batch(
        torch.ones(1, 2).long(), torch.ones(1, 2).bool(), extras={"mine": torch.ones(1), "its": torch.ones(1)}
    )
    model = Model(Silent(), CopyingDecoder(), summarization().target_spec)
    memory = model.encode(batch)
    assert memory is not None and set(memory.extras) == {"mine", "its"}
    assert torch.equal(memory.extras["mine"], batch.source)


@pytest.mark.parametrize(
    ("copying", "message"),
    [
        (True, r"task.copying: the decoder 'gru' copies no words .* seq2seq-kit-copy"),
        (False, r"model.decoder: 'gru' copies words of the source, and the task 'summarization' .* set task.copying"),
    ],
)
def test_task_and_decoder_must_agree(copying: bool, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from seq2seq_kit.training.parts import _check_copying

    names = SimpleNamespace(
        model=SimpleNamespace(decoder=SimpleNamespace(name="gru")), task=SimpleNamespace(name="summarization")
    )
    model: Any = SimpleNamespace(decoder=SimpleNamespace(copies=not copying))
    task: Any = SimpleNamespace(copies=copying)
    with pytest.raises(ConfigError, match=re.compile(message)):
        _check_copying(names, task, model)  # type: ignore[arg-type]
