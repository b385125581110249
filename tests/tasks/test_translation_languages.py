"""Several target languages in one model, documents, word alignments, and runs compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit import UserError, load
from seq2seq_kit.config import validate
from seq2seq_kit.decoding.alignment import pharaoh, word_alignment, words_of
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import ConfigError, DataError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.translation import Translation, TranslationConfig

WORDS = {
    "fr": ["un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"],
    "de": ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"],
}
ENGLISH = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
CONFIG = """\
seed: 1
task: {name: translation, source_tokenizer: word, shared_tokenizer: true, languages: [fr, de]}
data: {train: [%(data)s], dev: [%(data)s]}
model:
  encoder: {name: gru, embedding_size: 32, size: 32, bidirectional: true}
  decoder: {name: gru, embedding_size: 32, size: 32, attention: luong}
training: {max_steps: 160, batch_tokens: 500, learning_rate: 0.02, validate_every: 160, validation_examples: 10}
search: {beam_size: 2, max_length: 20}
"""


def make(**section: Any) -> Translation:
    values = {"source_tokenizer": "word", "languages": ["fr", "de"], **section}
    task = Translation(validate(TranslationConfig, values, "test"))
    task.prepare([Example("<2fr> one two", "un deux"), Example("<2de> one two.", "eins zwei.")])
    return task


def test_the_wanted_language_is_a_mark_and_no_text() -> None:
    task = make()
    assert task.source_tokens(Example("<2de> one two")) == ["<2de>", "one", "two", "</s>"]
    assert "2" not in task.source_tokenizer.tokens(range(task.source_spec.vocab_size or 0))  # nothing learnt of tags
    french, german = task.encode([Example("<2fr> one"), Example("<2de>one")])
    assert french.source[1:] == german.source[1:] and french.source[0] != german.source[0]
    assert task.source_spec.vocab_size == task.source_tokenizer.inner.vocab_size + 2  # type: ignore[attr-defined]


def test_with_one_vocabulary_both_sides_have_the_marks() -> None:
    task = make(shared_tokenizer=True)
    assert task.source_spec.vocab_size == task.target_spec.vocab_size
    mark = task.target_spec.vocab_size - 1
    assert task.decode(Example("<2fr> one"), [Hypothesis([mark, 2], 0.0, 0.0, [0.0, 0.0])]).text == ""


def test_records_and_lines_say_the_language(tmp_path: Path) -> None:
    task = make()
    file = tmp_path / "a.jsonl"
    file.write_text('{"source": "one", "target": "un", "target_language": "fr"}\n', encoding="utf-8")
    assert [(e.source, e.target) for e in task.read([str(file)])] == [("<2fr> one", "un")]
    assert task.example({"source": "one", "target_language": "de"}).source == "<2de> one"
    assert task.target_tag("de") == "<2de> "
    for given in ("one", "<2es> one", {"source": "one"}, {"source": "one", "target_language": "es"}):
        with pytest.raises(DataError, match="must begin with one of <2fr>, <2de>"):
            task.example(given)
    file = tmp_path / "a.tsv"
    file.write_text("<2fr> one\tun\none\tun\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: does not say into which language"):
        list(task.read([str(file)]))


def test_nothing_is_encoded_without_a_language() -> None:
    with pytest.raises(DataError, match="the source 'one' does not say into which language"):
        make().encode([Example("one")])
    assert make().encode([Example("", "un")])[0].source == [2]  # a phrase of the target alone


def test_unknown_words_are_copied_from_behind_the_mark() -> None:
    task = make()
    example = Example("<2fr> one Zanzibar")
    attention = torch.tensor([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])  # over the mark, one, Zanzibar, EOS
    assert attention.shape[1] == len(task.source_tokens(example))
    found = Hypothesis([3, 2], 0.0, 0.0, [0.0, 0.0], attention=attention)
    assert task.decode_copying(example, [found], {}).text == "Zanzibar"


def test_what_is_no_language_is_refused() -> None:
    with pytest.raises(UserError, match=r"no target language 'es' in this run \(there is: fr, de\)"):
        make().target_tag("es")
    with pytest.raises(UserError, match="one only"):
        make(languages=[]).target_tag("fr")
    for languages in (["f r"], ["fr", "fr"]):
        with pytest.raises(ConfigError, match="must be different words"):
            make(languages=languages)


def test_sentences_keep_their_tag() -> None:
    parts = make().sentences(Example("<2fr> One is here. Two is there."))
    assert [part.source for part in parts] == ["<2fr> One is here.", "<2fr> Two is there."]


def test_words_are_aligned_and_not_tokens() -> None:
    task = make(languages=[], source_tokenizer={"name": "bpe", "vocab_size": 30})
    [source], [target] = task.source_tokenizer.encode(["two one"]), task.target_tokenizer.encode(["deux un."])
    words = words_of(task.source_tokenizer, [*source, 2])
    assert words[-1] is None and words[0] == 0 and words[-2] == 1  # EOS is no word
    attention = torch.zeros(len(target) + 1, len(source) + 1)
    attention[:, 0] = 1
    last = words_of(task.target_tokenizer, target)
    attention[[i for i, word in enumerate(last) if word == 1], -2] = 2
    attention[-1, -1] = 2
    assert word_alignment(words, last, attention) == [(0, 0), (1, 1)]
    assert pharaoh([(0, 0), (1, 1), (0, 2)]) == "0-0 1-1 0-2"
    with pytest.raises(UserError, match="cannot be aligned"):
        word_alignment(words, last, attention[:, 1:])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, run_s2s: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("languages")
    lines = [
        f"<2{language}> {ENGLISH[i]} {ENGLISH[j]}\t{words[i]} {words[j]}\n"
        for language, words in WORDS.items()
        for i in range(10)
        for j in range(10)
    ]
    (folder / "data.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG % {"data": folder / "data.tsv"}, encoding="utf-8")
    done = run_s2s("train", folder / "config.yaml", "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_one_model_writes_both_languages_and_keeps_a_document(
    run: Path, run_s2s: Callable[..., Any], tmp_path: Path
) -> None:
    document = "\none two\n\n<2de> two three\n"
    done = run_s2s("translate", run, "--to", "fr", "--align", tmp_path / "words.txt", input=document)
    assert done.stdout == "\nun deux\n\nzwei drei\n", done.stderr
    alignments = (tmp_path / "words.txt").read_text(encoding="utf-8").splitlines()
    assert len(alignments) == 4 and alignments[0] == alignments[2] == ""
    pairs = [tuple(map(int, pair.split("-"))) for pair in alignments[1].split()]
    assert pairs and all(source < 2 and target < 2 for source, target in pairs)
    record = '{"source": "two three", "target_language": "de"}\n{"source": "one two"}\n'
    done = run_s2s("translate", run, "--jsonl", "--skip-bad", input=record)
    assert done.stdout == "zwei drei\n\n" and "line 2: does not say into which language" in done.stderr


def test_long_paragraphs_are_split(run: Path) -> None:
    pipeline = load(run)
    [output] = pipeline.translate(["<2fr> one two! Three four"], split_sentences=True)
    parts = pipeline.translate(["<2fr> one two!", "<2fr> Three four"])
    assert output.text == " ".join(part.text for part in parts)
    assert output.score == pytest.approx(sum(part.score for part in parts), abs=1e-4)
    assert output.tokens == [token for part in parts for token in part.tokens] and output.attention is None
    for impossible in ({"n_best": 2}, {"align": True}):
        with pytest.raises(UserError, match="sentences are split for one output each"):
            pipeline.translate(["<2fr> one two"], split_sentences=True, **impossible)


def test_runs_are_compared(run: Path, run_s2s: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "other")
    data = run.parent / "data.tsv"
    compared = ("evaluate", run, tmp_path / "other", "--data", data)
    report = json.loads(run_s2s(*compared, "--json").stdout)
    assert list(report["comparison"]) == ["BLEU", "chrF2", "TER"]
    assert report["comparison"]["TER"][str(tmp_path / "other")]["p_value"] == 1
    assert report["runs"][str(run)]["metrics"]["chrf"] > 50
    table = run_s2s(*compared, env={"COLUMNS": "120"})
    assert "p = 1.000" in table.stdout and "paired bootstrap" in table.stdout, table.stderr
    refused = run_s2s("evaluate", run, run, "--data", data)
    assert refused.returncode == 2 and "given twice" in refused.stderr
