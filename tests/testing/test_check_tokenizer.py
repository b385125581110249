"""The tester of tokenizers passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import json
import pickle
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from seq2seq_kit.config import Config, component_field, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Tokenizer
from seq2seq_kit.registry import build
from seq2seq_kit.testing import ContractError, check_tokenizer


class Sound(Tokenizer):
    """Words between white space, in the order of the alphabet."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def train(self, texts: Iterable[str]) -> None:
        self.adopt(sorted({word for text in texts for word in text.split()}))

    def adopt(self, words: list[str]) -> None:
        self.words = ["<pad>", "<s>", "</s>", "<unk>", *words]
        self.vocab_size = len(self.words)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        ids = {word: i for i, word in enumerate(self.words) if i >= 4}
        return [[ids.get(word, self.unk_id) for word in text.split()] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.words[i] for i in ids if i > 2)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        return [self.words[i] for i in ids]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.words), encoding="utf-8")

    def load(self, path: Path) -> None:
        self.adopt(json.loads(path.read_text(encoding="utf-8"))[4:])


class LosesSpaces(Sound):
    def decode(self, ids: Sequence[int]) -> str:
        return super().decode(ids).replace(" ", "")


class ReadsTwice(Sound):
    def train(self, texts: Iterable[str]) -> None:
        longest = max(map(len, texts))
        self.adopt(sorted({word for text in texts for word in text.split()})[:longest])


class EndsTexts(Sound):
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[*ids, self.eos_id] for ids in super().encode(texts)]


class DrawsIds(Sound):
    def train(self, texts: Iterable[str]) -> None:
        super().train(texts)
        random.shuffle(self.words)


class OutsideItsVocabulary(Sound):
    def adopt(self, words: list[str]) -> None:
        super().adopt(words)
        self.vocab_size -= 1


class NumbersByBatch(Sound):
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        words = sorted({word for text in texts for word in text.split()})
        return [[4 + words.index(word) for word in text.split()] for text in texts]


class KnowsNoStranger(Sound):
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[self.words.index(word) for word in text.split()] for text in texts]


class ShowsSpecials(Sound):
    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.words[i] for i in ids)


class SpecialsCanBeTyped(Sound):
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        ids = {word: i for i, word in enumerate(self.words)}
        return [[ids.get(word, self.unk_id) for word in text.split()] for text in texts]


class Pickles(Sound):
    def save(self, path: Path) -> None:
        path.write_bytes(pickle.dumps(self.words))


class SavesWithoutItsPrefix(Sound):
    def train(self, texts: Iterable[str]) -> None:
        super().train(texts)
        self.prefix = (4,)


class SavesElsewhere(Sound):
    def save(self, path: Path) -> None:
        super().save(path.with_suffix(".vocabulary"))


class ForgetsAWord(Sound):
    def load(self, path: Path) -> None:
        words = json.loads(path.read_text(encoding="utf-8"))[4:]
        self.adopt([words[-1], *words[1:]])


PLANTED: dict[type[Sound], tuple[str, str]] = {
    LosesSpaces: ("round_trip", "'one two three' is 'onetwothree' when it is encoded and decoded"),
    ReadsTwice: ("deterministic", "trained again on the same texts, 'one two three' has other ids"),
    EndsTexts: ("ids", "encode gives eos_id in 'one two three'; what stands around a text is put there by the task"),
    DrawsIds: ("deterministic|ids", "the same texts must give the same|what stands around"),
    OutsideItsVocabulary: ("ids", r"encode gives id \d+ for .*; vocab_size is \d+"),
    NumbersByBatch: ("batch", "alone and .* among others; a text may depend on itself alone"),
    KnowsNoStranger: ("unknown", r"ValueError in .*what was never seen has ids too"),
    ShowsSpecials: ("special", "with BOS, EOS and padding around"),
    SpecialsCanBeTyped: ("special", "the text '<pad>' is encoded as pad_id; what users type"),
    Pickles: ("save", "tokenizer.json is a pickle or an archive"),
    SavesWithoutItsPrefix: ("save", r"loaded, prefix is \(\) in place of \(4,\)"),
    SavesElsewhere: ("save", r"save writes \['tokenizer.vocabulary'\]; it must write the one file"),
    ForgetsAWord: ("save", "saved and loaded, it reads .* in another way"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    random.seed(1)
    with pytest.raises(ContractError) as caught:
        check_tokenizer(planted())
    fault = caught.value.report.faults[0]
    assert fault.check in check.split("|"), str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


def test_the_tokenizer_to_plant_faults_in_is_sound() -> None:
    tokenizer = Sound()
    report = check_tokenizer(tokenizer)
    assert {finding.verdict for finding in report.findings} == {"ok"}
    assert not tokenizer.words  # a copy was trained


class _Section(Config):
    tokenizer: component_field("tokenizer")  # type: ignore[valid-type]


@pytest.mark.parametrize(
    "section",
    ["char", "word", {"name": "word", "lowercase": True}, {"name": "bpe", "vocab_size": 60}, "unigram"],
    ids=str,
)
def test_built_in_tokenizers_keep_the_contract(section: object) -> None:
    tokenizer = build("tokenizer", validate(_Section, {"tokenizer": section}, "test").tokenizer)
    assert {finding.verdict for finding in check_tokenizer(tokenizer).findings} == {"ok"}


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a str; it checks a seq2seq_kit.Tokenizer"):
        check_tokenizer("word")
    with pytest.raises(UserError, match="texts holds no text"):
        check_tokenizer(Sound(), "one text")
    with pytest.raises(UserError, match="no check 'trip' to skip; there are train, "):
        check_tokenizer(Sound(), skip=["trip"])
