"""The task ``translation``: pairs to ids and batches, hypotheses to outputs, tokenizers to files and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit.config import component_sections, validate
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import CheckpointError, ConfigError, DataError
from seq2seq_kit.interfaces import EncodedExample, Example
from seq2seq_kit.tasks.translation import Translation, TranslationConfig

PAIRS = [
    ("Where is it?", "Où est-il ?"),
    ("Where are you?", "Où es-tu ?"),
    ("I saw the man.", "J'ai vu l'homme."),
    ("It is here.", "Il est ici."),
]
EXAMPLES = [Example(source, target, id=number) for number, (source, target) in enumerate(PAIRS, 1)]


def make(**section: Any) -> Translation:
    task = Translation(validate(TranslationConfig, {"source_tokenizer": "word", **section}, "test"))
    task.prepare(EXAMPLES)
    return task


@pytest.fixture(scope="module")
def task() -> Translation:
    return make()


def hypothesis(task: Translation, text: str, score: float = -0.5, columns: int = 5, eos: bool = True) -> Hypothesis:
    [ids] = task.target_tokenizer.encode([text])
    ids = [*ids, 2] if eos else ids
    attention = torch.full((len(ids), columns), 1 / columns)
    return Hypothesis(ids, score, score * len(ids), [score] * len(ids), attention=attention)


def test_both_sides_end_with_eos(task: Translation) -> None:
    [encoded] = task.encode(EXAMPLES[:1])
    assert encoded.id == 1
    assert encoded.source[-1] == 2 and task.source_tokenizer.decode(encoded.source) == PAIRS[0][0]
    assert encoded.target is not None
    assert encoded.target[-1] == 2 and task.target_tokenizer.decode(encoded.target) == PAIRS[0][1]


def test_a_source_alone_needs_no_target(task: Translation) -> None:
    encoded = task.encode([Example("Where is it?"), EXAMPLES[1], Example("It is here.")])
    assert [example.target is None for example in encoded] == [True, False, True]
    assert encoded[1] == task.encode([EXAMPLES[1]])[0]
    batch = task.collate([encoded[0], encoded[2]])
    assert batch.target is None and batch.target_mask is None


def test_batches_are_padded_to_the_right(task: Translation) -> None:
    batch = task.collate([EncodedExample([5, 2], [6, 7, 2], id="a"), EncodedExample([5, 6, 7, 2], [2], id="b")])
    assert batch.source.tolist() == [[5, 2, 0, 0], [5, 6, 7, 2]]
    assert batch.source_mask.tolist() == [[True, True, False, False], [True] * 4]
    assert batch.target is not None and batch.target_mask is not None
    assert batch.target.tolist() == [[6, 7, 2], [2, 0, 0]]
    assert batch.target_mask.tolist() == [[True] * 3, [True, False, False]]
    assert batch.ids == ["a", "b"]
    assert batch.source.dtype == batch.target.dtype == torch.int64
    assert batch.source_mask.dtype == batch.target_mask.dtype == torch.bool


def test_an_empty_source_is_eos_alone(task: Translation) -> None:
    encoded = task.encode([Example(""), Example("Where is it?")])
    assert encoded[0].source == [2]
    assert task.collate(encoded).source_mask.sum(1).tolist() == [1, len(encoded[1].source)]
    output = task.decode(Example(""), [hypothesis(task, "Il est ici.", columns=1)])
    assert output.source_tokens == ["</s>"] and output.text == "Il est ici."


def test_an_output_holds_all_of_a_hypothesis(task: Translation) -> None:
    found = [hypothesis(task, "Où est-il ?", -0.25), hypothesis(task, "Il est ici.", -0.75)]
    output = task.decode(EXAMPLES[0], found)
    assert output.text == "Où est-il ?"
    assert output.score == -0.25
    assert output.tokens == ["Où", "est", "-", "il", "?"]
    assert output.token_scores == [-0.25] * 6  # EOS too
    assert output.source_tokens == ["Where", "is", "it", "?", "</s>"]
    assert output.attention is not None and output.attention.shape == (6, len(output.source_tokens))
    assert [(other.text, other.score) for other in output.alternatives] == [("Il est ici.", -0.75)]
    assert output.alternatives[0].alternatives == []


def test_a_hypothesis_cut_off_before_eos_loses_no_token(task: Translation) -> None:
    output = task.decode(EXAMPLES[0], [hypothesis(task, "Il est", eos=False)])
    assert output.text == "Il est" and output.tokens == ["Il", "est"]


def test_an_empty_hypothesis_is_an_empty_text(task: Translation) -> None:
    output = task.decode(EXAMPLES[0], [Hypothesis([2], -1.0, -1.0, [-1.0])])
    assert (output.text, output.tokens, output.token_scores) == ("", [], [-1.0])


def test_no_hypothesis_is_an_empty_output(task: Translation) -> None:
    output = task.decode(EXAMPLES[0], [])
    assert output.text == "" and output.score == float("-inf") and output.alternatives == []


def test_each_side_has_its_own_vocabulary(task: Translation) -> None:
    assert task.source_spec.vocab_size == task.source_tokenizer.vocab_size
    assert task.target_spec.vocab_size == task.target_tokenizer.vocab_size
    assert "Where" not in task.target_tokenizer.tokens(range(task.target_spec.vocab_size))


def test_the_sides_may_be_cut_differently() -> None:
    task = make(target_tokenizer="char")
    assert task.decode(EXAMPLES[0], [hypothesis(task, "Où")]).tokens == ["O", "ù"]
    assert task.encode(EXAMPLES[:1])[0].source == make().encode(EXAMPLES[:1])[0].source


@pytest.mark.parametrize("shared", [False, True])
def test_saved_and_loaded_it_is_the_same(tmp_path: Path, shared: bool) -> None:
    task = make(shared_tokenizer=shared)
    task.save(tmp_path)
    names = {"shared.json"} if shared else {"source.json", "target.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    loaded = Translation(task.config)
    loaded.load(tmp_path)
    assert loaded.encode(EXAMPLES) == task.encode(EXAMPLES)
    assert (loaded.source_spec, loaded.target_spec) == (task.source_spec, task.target_spec)


def test_a_shared_vocabulary_knows_both_sides() -> None:
    task = make(shared_tokenizer=True)
    assert task.source_tokenizer is task.target_tokenizer
    entries = task.source_tokenizer.tokens(range(task.source_spec.vocab_size or 0))
    assert "Where" in entries and "homme" in entries
    assert task.source_spec.vocab_size == task.target_spec.vocab_size


def test_a_shared_vocabulary_has_one_section() -> None:
    with pytest.raises(ConfigError, match="leave target_tokenizer out"):
        make(shared_tokenizer=True, target_tokenizer="char")
    assert make(shared_tokenizer=True, target_tokenizer="word").target_spec.vocab_size  # the same one does no harm


def test_a_missing_tokenizer_file_is_named(tmp_path: Path, task: Translation) -> None:
    task.save(tmp_path)
    (tmp_path / "target.json").unlink()
    with pytest.raises(CheckpointError, match=r"target\.json: there is no such file"):
        Translation(task.config).load(tmp_path)


def test_metrics_are_configured(task: Translation) -> None:
    assert list(task.metrics()) == ["chrf", "bleu"]
    chosen = make(metrics=[{"name": "bleu", "lowercase": True}, "exact"]).metrics()
    assert list(chosen) == ["bleu", "exact"]
    assert chosen["exact"](["a"], [["a"]]) == 100
    with pytest.raises(ConfigError, match="did you mean 'bleu'"):
        make(metrics=["blue"])


def test_the_configuration_lists_its_components() -> None:
    """A run folder records where each of them came from."""
    config = make(target_tokenizer="char").config
    found = {(path, kind, section.name) for path, kind, section in component_sections(config)}
    assert found == {
        ("source_tokenizer", "tokenizer", "word"),
        ("target_tokenizer", "tokenizer", "char"),
        ("metrics.0", "metric", "chrf"),
        ("metrics.1", "metric", "bleu"),
    }


def test_it_reads_the_fields_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"en": "It is here.", "fr": "Il est ici."}\n', encoding="utf-8")
    [example] = make(source_field="en", target_field="fr").read([str(path)])
    assert (example.source, example.target) == ("It is here.", "Il est ici.")


def test_training_needs_targets() -> None:
    task = Translation(validate(TranslationConfig, {}, "test"))
    with pytest.raises(DataError, match="example 7 has no target"):
        task.prepare([Example("a b", id=7)])
    with pytest.raises(DataError, match="no text to learn from"):
        task.prepare([])
