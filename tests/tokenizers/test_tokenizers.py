"""What every tokenizer promises: text comes back, files come back, training is reproducible, mistakes are sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_kit.config import validate
from seq2seq_kit.errors import CheckpointError, ConfigError, DataError
from seq2seq_kit.interfaces import Tokenizer
from seq2seq_kit.registry import build, registry

TEXTS = [
    "Où est-il ?",
    "J'ai vu l'homme et l'été : c'est « beau » !",
    "Qu'est-ce qu'elle a dit aujourd'hui ?",
    'He said: "Don\'t (please) go..."',
    "It's 5:30, isn't it?",
    "Où est la gare, s'il vous plaît ?",
    "La gare est là-bas, n'est-ce pas ?",
]
SECTIONS: dict[str, dict[str, Any]] = {
    "char": {"name": "char"},
    "word": {"name": "word"},
    "bpe": {"name": "bpe", "vocab_size": 120},
    "bpe-bytes": {"name": "bpe", "vocab_size": 400, "byte_fallback": True},
    "unigram": {"name": "unigram", "vocab_size": 80},
    "unigram-bytes": {"name": "unigram", "vocab_size": 340, "byte_fallback": True},
}
SUBWORDS = [name for name in SECTIONS if name not in ("char", "word")]
ALPHABET = sorted(set("".join(TEXTS)))


def make(**section: Any) -> Tokenizer:
    config_class = registry().find("tokenizer", section["name"]).component.load_config()
    tokenizer: Tokenizer = build("tokenizer", validate(config_class, section, "test"))
    return tokenizer


def trained(name: str, texts: list[str] = TEXTS, **more: Any) -> Tokenizer:
    tokenizer = make(**{**SECTIONS[name], **more})
    tokenizer.train(texts)
    return tokenizer


@pytest.fixture(scope="module", params=SECTIONS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return trained(request.param)


ALL = {name: trained(name) for name in SECTIONS}


def round_trip(tokenizer: Tokenizer, text: str) -> str:
    [ids] = tokenizer.encode([text])
    return tokenizer.decode(ids)


def test_training_texts_come_back(tokenizer: Tokenizer) -> None:
    assert [tokenizer.decode(ids) for ids in tokenizer.encode(TEXTS)] == TEXTS


def test_a_batch_is_its_texts_one_by_one(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(TEXTS) == [tokenizer.encode([text])[0] for text in TEXTS]
    assert tokenizer.encode([]) == []


def test_special_ids_come_first_and_are_dropped(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokens([0, 1, 2, 3]) == ["<pad>", "<s>", "</s>", "<unk>"]
    [ids] = tokenizer.encode(TEXTS[:1])
    assert min(ids) > 3 and max(ids) < tokenizer.vocab_size
    assert tokenizer.decode([1, *ids, 2, 0, 0]) == TEXTS[0]


def test_an_empty_text_has_no_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode([""]) == [[]]
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("name", SECTIONS)
def test_no_text_can_spell_a_special_token(name: str) -> None:
    """Not even one that training was full of."""
    spelt = ["<s>", "</s>", "a </s> b", "<pad>", "<unk>", "<0x41>", "</s></s>"]
    tokenizer = trained(name, TEXTS + spelt * 20)
    for text, ids in zip(spelt, tokenizer.encode(spelt), strict=True):
        assert min(ids) > 3
        assert tokenizer.decode(ids) == text


known = st.text(st.sampled_from(ALPHABET), max_size=40)


@given(known)
def test_char_round_trips_exactly(text: str) -> None:
    assert round_trip(ALL["char"], text) == text


@given(known)
def test_word_round_trips_but_for_white_space(text: str) -> None:
    tokenizer = trained_on(text)
    assert round_trip(tokenizer, text) == " ".join(text.split())


def trained_on(text: str) -> Tokenizer:
    """A word tokenizer that knows all words of ``text``."""
    return trained("word", [*TEXTS, text])


@pytest.mark.parametrize("name", SUBWORDS)
@given(text=known)
def test_subwords_round_trip_but_for_white_space(name: str, text: str) -> None:
    assert round_trip(ALL[name], text) == " ".join(text.split())


@pytest.mark.parametrize("name", ["bpe-bytes", "unigram-bytes"])
@given(text=st.text(st.characters(codec="utf-8"), max_size=30))
def test_with_bytes_nothing_is_unknown(name: str, text: str) -> None:
    expected = " ".join(
        part for part in split_ascii_space(unicodedata.normalize("NFC", text).replace("▁", "_")) if part
    )
    [ids] = ALL[name].encode([text])
    assert 3 not in ids
    assert ALL[name].decode(ids).strip() == expected.strip()


@given(known)
def test_words_at_white_space_keep_their_marks(text: str) -> None:
    tokenizer = trained("word", [*TEXTS, text], split="whitespace")
    [ids] = tokenizer.encode([text])
    assert tokenizer.tokens(ids) == text.split()
    assert tokenizer.decode(ids) == " ".join(text.split())


def test_commands_and_phonemes_are_words(tmp_path: Path) -> None:
    texts = ["I_TURN_LEFT I_JUMP", "AH0 B ER1", "￭ a￭ b"]
    tokenizer = trained("word", texts, split="whitespace")
    tokenizer.save(tmp_path / "words.json")
    loaded = make(name="word", split="whitespace")
    loaded.load(tmp_path / "words.json")
    for one in (tokenizer, loaded):
        assert [one.tokens(ids) for ids in one.encode(texts)] == [text.split() for text in texts]
        assert [one.decode(ids) for ids in one.encode(texts)] == texts


def split_ascii_space(text: str) -> list[str]:
    for character in "\t\n\r\f\v":
        text = text.replace(character, " ")
    return text.split(" ")


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_has_ids_within_the_vocabulary(text: str) -> None:
    for tokenizer in ALL.values():
        [ids] = tokenizer.encode([text])
        assert all(3 <= i < tokenizer.vocab_size for i in ids)
        assert isinstance(tokenizer.decode(ids), str)
        assert len(tokenizer.tokens(ids)) == len(ids)


@given(st.lists(st.integers(0, 60), max_size=30))
def test_any_ids_have_a_text(ids: list[int]) -> None:
    """A model may write any of its tokens in any order."""
    for tokenizer in ALL.values():
        text = tokenizer.decode([i % tokenizer.vocab_size for i in ids])
        assert "￭" not in text and "▁" not in text


@pytest.mark.parametrize("name", SECTIONS)
def test_an_accent_is_one_however_it_is_typed(name: str) -> None:
    tokenizer = ALL[name]
    assert tokenizer.encode([unicodedata.normalize("NFD", TEXTS[1])]) == tokenizer.encode(TEXTS[1:2])


@pytest.mark.parametrize("name", SECTIONS)
def test_lowercase(name: str) -> None:
    tokenizer = trained(name, lowercase=True)
    assert round_trip(tokenizer, "OÙ EST-IL ?") == "où est-il ?"


def test_tokens_as_a_person_reads_them() -> None:
    def tokens(name: str, text: str) -> list[str]:
        return ALL[name].tokens(ALL[name].encode([text])[0])

    assert tokens("char", "l'été !") == ["l", "'", "é", "t", "é", "▁", "!"]
    assert tokens("word", "l'homme, est-il là ?") == ["l", "'", "homme", ",", "est", "-", "il", "là", "?"]
    assert tokens("bpe", "Où est") == ["▁Où", "▁est"]


def test_a_word_has_one_entry_wherever_it_stands() -> None:
    tokenizer = trained("word", ["homme l'homme (homme) homme. «homme»"])
    assert len({i for i, t in enumerate(tokenizer.tokens(range(tokenizer.vocab_size))) if t == "homme"}) == 1


def test_unknown_words_are_shown() -> None:
    assert round_trip(ALL["word"], "Où est xyz ?") == "Où est <unk> ?"
    assert round_trip(ALL["char"], "Où z") == "Où <unk>"


def test_no_subword_crosses_a_border() -> None:
    tokenizer = trained("bpe", ["l'homme est là."] * 50, vocab_size=100)
    assert all(
        token.strip("▁").isalnum() or len(token.strip("▁")) < 2
        for token in tokenizer.tokens(range(4, tokenizer.vocab_size))
    )
    tokenizer = trained("unigram", ["l'homme est là. l'homme va là"] * 50, vocab_size=100)
    assert all("▁" not in token[1:] for token in tokenizer.tokens(range(4, tokenizer.vocab_size)))


@pytest.mark.parametrize(("name", "section"), SECTIONS.items())
def test_saved_and_loaded_it_is_the_same(tmp_path: Path, name: str, section: dict[str, Any]) -> None:
    tokenizer = ALL[name]
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    json.loads(path.read_text(encoding="utf-8"))  # one readable file
    loaded = make(**section)
    loaded.load(path)
    texts = [*TEXTS, "日本 </s> xyz"]
    assert loaded.encode(texts) == tokenizer.encode(texts)
    assert loaded.vocab_size == tokenizer.vocab_size
    again = tmp_path / "again.json"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()


TRAIN = """
import sys
from pathlib import Path
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.registry import build, registry
texts = [example.target for example in list(Examples(["phrasebook:train"]))[:3000]]
for name, size in {"char": 60, "word": 700, "bpe": 700, "unigram": 700}.items():
    config = registry().find("tokenizer", name).component.load_config()
    tokenizer = build("tokenizer", config(vocab_size=size))
    tokenizer.train(texts)
    tokenizer.save(Path(sys.argv[1]) / f"{name}.json")
"""


def test_training_is_reproducible(tmp_path: Path) -> None:
    """In processes of their own, because the backend's hash tables are ordered anew in each; whatever the threads."""
    folders = []
    for parallel in ("true", "true", "false"):
        folders.append(tmp_path / str(len(folders)))
        folders[-1].mkdir()
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": parallel}
        subprocess.run([sys.executable, "-c", TRAIN, str(folders[-1])], check=True, env=environment)
    for name in ("char", "word", "bpe", "unigram"):
        assert len({(folder / f"{name}.json").read_bytes() for folder in folders}) == 1, name


def test_vocabulary_limits() -> None:
    assert trained("word", ["a a a b b c"], vocab_size=6).tokens(range(4, 6)) == ["a", "b"]
    assert trained("word", ["a a a b b c"], min_frequency=2).vocab_size == 6
    assert trained("char", ["aaabbc"], min_frequency=3).vocab_size == 5
    for name in SUBWORDS:
        assert ALL[name].vocab_size <= SECTIONS[name]["vocab_size"]


def test_character_coverage_leaves_out_rare_characters() -> None:
    texts = ["the cat sat on the mat"] * 100 + ["zebra"]
    assert round_trip(trained("bpe", texts), "zebra cat") == "zebra cat"
    for name in ("bpe", "unigram"):
        tokenizer = trained(name, texts, character_coverage=0.999)
        assert round_trip(tokenizer, "the cat") == "the cat"
        assert 3 in tokenizer.encode(["zebra"])[0]
    assert round_trip(trained("bpe-bytes", texts, character_coverage=0.999), "zebra cat") == "zebra cat"


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_no_text_to_learn_from(name: str, texts: list[str]) -> None:
    with pytest.raises(DataError, match="no text to learn from"):
        trained(name, texts)


@pytest.mark.parametrize("name", SUBWORDS)
def test_a_vocabulary_that_is_too_small(name: str) -> None:
    with pytest.raises(ConfigError, match=r"vocab_size 20 is too small .* at least \d+"):
        trained(name, vocab_size=20)


@pytest.mark.parametrize("name", SUBWORDS)
def test_the_smallest_vocabulary_it_names_is_enough(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        trained(name, vocab_size=20)
    least = int(str(error.value).split("at least ")[1].split()[0])
    assert trained(name, vocab_size=least).vocab_size <= least


def test_impossible_options() -> None:
    with pytest.raises(ConfigError, match="vocab_size"):
        make(name="word", vocab_size=4)
    with pytest.raises(ConfigError, match="did you mean 'lowercase'"):
        make(name="char", lowecase=True)


@pytest.mark.parametrize("name", SECTIONS)
def test_text_that_is_not_unicode(name: str) -> None:
    with pytest.raises(DataError, match="valid Unicode"):
        ALL[name].encode(["fine", "half \ud800"])
    with pytest.raises(DataError, match="valid Unicode"):
        trained(name, ["fine", "half \ud800"])


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"version": "1.0"', b"\xff\xfe", b"[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "source.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"source\.json: is damaged"):
        make(name="bpe").load(path)


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.json: there is no such file"):
        make(name="bpe").load(tmp_path / "nowhere.json")
    path = tmp_path / "foreign.json"
    ALL["word"].save(path)
    path.write_text(path.read_text(encoding="utf-8").replace("</s>", "[SEP]"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"foreign\.json: is not a tokenizer of this kit"):
        make(name="word").load(path)
