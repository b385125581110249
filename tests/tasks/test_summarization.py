"""The task ``summarization``: long sources are cut and counted, baselines stand beside the run, ``s2s summarize``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.config import validate
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.run_config import load_config
from seq2seq_kit.tasks.summarization import Summarization, SummarizationConfig

TEXT = "one two three four five six seven eight nine ten"
CONFIG = """\
seed: 1
task: {name: summarization, source_tokenizer: word, source_field: body, target_field: subject, max_source_length: 8}
data: {train: [%(data)s], dev: [%(data)s], max_length: 8}
model:
  encoder: {name: gru, embedding_size: 24, size: 32, bidirectional: true}
  decoder: {name: gru, embedding_size: 24, size: 32, attention: luong}
training: {max_steps: 60, batch_tokens: 400, learning_rate: 0.02, validate_every: 60, validation_examples: 5}
"""


def make(**section: Any) -> Summarization:
    task = Summarization(validate(SummarizationConfig, {"source_tokenizer": "word", **section}, "test"))
    task.prepare([Example(TEXT, "one two")])
    return task


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [("end", "one two three four"), ("start", "seven eight nine ten"), ("middle", "one two nine ten")],
)
def test_a_long_source_is_cut_where_it_is_said(truncation: str, kept: str) -> None:
    task = make(max_source_length=5, truncation=truncation)
    short, long = task.encode([Example("one two three four"), Example(TEXT)])
    assert short.source[-1] == long.source[-1] == 2 and len(long.source) == len(short.source) == 5
    assert task.source_tokenizer.decode(long.source) == kept
    assert task.source_tokens(Example(TEXT)) == [*kept.split(), "</s>"]  # as many as the attention has columns


def test_what_is_cut_is_counted() -> None:
    task = make(max_source_length=5)
    assert task.notices() == []
    task.encode([Example(TEXT), Example("one two"), Example(TEXT)])
    task.source_tokens(Example(TEXT))  # to show it is not to read it again
    [notice] = task.notices()
    assert notice.startswith("cut 2 of 3 texts to 5 tokens, leaving out the end")
    assert task.notices() == []


def test_nothing_repeats_and_lengths_are_bounded_unless_a_run_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG % {"data": "a.jsonl"}, encoding="utf-8")
    search = load_config(path).search
    assert (search.no_repeat_ngram, search.max_length) == (3, 128)
    assert load_config(path, ["search.no_repeat_ngram=0"]).search.no_repeat_ngram == 0


def test_a_cut_that_training_would_leave_out_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG % {"data": "a.jsonl"}, encoding="utf-8")
    with pytest.raises(ConfigError, match="set it to 9 or more"):
        load_config(path, ["task.max_source_length=9"])


def test_baselines_are_as_long_as_the_references() -> None:
    examples = [Example(TEXT, references=["a b", "a b c d"]), Example("x", references=["a b c"])]
    baselines = make().baselines(examples)
    assert baselines["lead"] == ["one two three", "x"]
    assert len(baselines["random"][0].split()) == 3 and baselines["random"][0] in TEXT
    assert baselines == make().baselines(examples)


def test_further_references_have_a_field(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"document": "d", "summary": "s", "anns": ["t", "u"]}) + "\n", encoding="utf-8")
    [example] = make(references_field="anns").read([str(file)])
    assert (example.source, example.target, example.references) == ("d", "s", ["t", "u"])


def test_the_verb_and_the_evaluation(run_s2s: Callable[..., Any], tmp_path: Path) -> None:
    data = tmp_path / "mail.jsonl"
    words = TEXT.split()
    records = [{"body": " ".join(words[i:] + words[:i]), "subject": words[i]} for i in range(10)]
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG % {"data": data}, encoding="utf-8")
    run = tmp_path / "run"
    trained = run_s2s("train", tmp_path / "config.yaml", "--out", run)
    assert trained.returncode == 0, trained.stderr
    assert "cut 10 of 10 texts to 8 tokens" in trained.stderr
    report = json.loads(run_s2s("evaluate", run, "--data", data, "--json").stdout)
    assert set(report["metrics"]) == {"rouge1", "rouge2", "rouge_l"} == set(report["baselines"]["random"])
    assert report["baselines"]["lead"]["rouge1"] == pytest.approx(100)  # here the first word is the summary
    long = json.dumps({"body": "one " * 20_000})
    done = run_s2s("summarize", run, "--jsonl", "--skip-bad", input=f'{long}\n{{"text": 1}}\n{{"body": "two"}}\n')
    assert done.returncode == 0 and done.stdout.count("\n") == 3, done.stderr
    assert "line 2: has no field 'body'" in done.stderr
    assert "cut 1 of 2 texts to 8 tokens" in done.stderr
