"""The task ``dialogue``: contexts and their budget, ``s2s respond``, ``s2s chat``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit import UserError, load
from seq2seq_kit.config import validate
from seq2seq_kit.decoding.conversation import Conversation
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.tasks.dialogue import Dialogue, DialogueConfig

LINES = """\
a\t\tHello.\tHi, which city?
a\tHi, which city?\tRome, please.\tSome food?
a\tSome food?\tPizza.\tGood.
b\tWelcome back.\tHello again.\tHi.
c\tWhere to?\tHome.\tFine.
"""
CONFIG = """\
seed: 1
task: {name: dialogue, source_tokenizer: word, max_source_length: 24}
data: {train: [%(data)s], dev: [%(data)s]}
model:
  encoder: {name: gru, embedding_size: 24, size: 48, bidirectional: true}
  decoder: {name: gru, embedding_size: 24, size: 48, attention: luong}
training: {max_steps: 150, batch_tokens: 400, learning_rate: 0.02, validate_every: 150, validation_metric: loss}
"""


def make(**section: Any) -> Dialogue:
    task = Dialogue(validate(DialogueConfig, {"source_tokenizer": "word", **section}, "test"))
    task.prepare([Example("ten\none two three four five", "six seven eight nine")])
    return task


@pytest.fixture
def lines(tmp_path: Path) -> str:
    path = tmp_path / "talk.tsv"
    path.write_text(LINES, encoding="utf-8")
    return str(path)


def test_the_context_of_a_line_is_all_of_its_conversation(lines: str) -> None:
    examples = list(make().read([lines]))
    assert [e.target for e in examples] == ["Hi, which city?", "Some food?", "Good.", "Hi.", "Fine."]
    assert examples[2].source == "Hello.\nHi, which city?\nRome, please.\nSome food?\nPizza."
    assert [e.source for e in examples[3:]] == ["Welcome back.\nHello again.", "Where to?\nHome."]


def test_a_missing_line_breaks_the_history_and_not_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "talk.tsv"
    rows = LINES.splitlines(keepends=True)
    path.write_text(rows[0] + "a\tno response\n" + rows[2], encoding="utf-8")
    with pytest.raises(DataError, match="line 2: has 2 columns, must have 4"):
        list(make().read([str(path)]))
    assert [e.source for e in make().read([str(path)], "skip")] == ["Hello.", "Some food?\nPizza."]


def test_records_hold_turns_or_messages() -> None:
    task = make()
    assert task.example({"context": ["a", "b  c\nd", "e"], "response": "f"}) == Example("a\nb c d\ne", "f")
    roles = [("user", "a"), ("assistant", "b"), ("assistant", "c"), ("user", "d")]
    messages = [{"role": role, "content": content} for role, content in roles]
    assert task.example({"context": messages}).source == "a\nb c\nd"
    assert task.example("just this").source == "just this"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (None, "must be a list of turns"),
        ("hello", "must be a list of turns"),
        ([], "must be a list of turns"),
        ([3], "must have texts"),
        ([{"role": "user"}], "must have texts"),
        ([{"role": "narrator", "content": "x"}], "the role 'narrator'"),
        ([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}], "last turn must be the user's"),
    ],
)
def test_another_context_is_refused(context: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make().example({"context": context})


def test_speakers_are_marked_and_no_text_can_spell_a_mark() -> None:
    task = make()
    example = Example("four five\none two\nthree")
    assert " ".join(task.source_tokens(example)) == "<user> four five <system> one two <user> three </s>"
    [ids] = task.encode([Example("<user>")])
    assert len([i for i in ids.source if i >= task.source_tokenizer.vocab_size - 2]) == 1  # ours alone
    assert task.source_spec.vocab_size == task.target_spec.vocab_size  # one embedding can serve both
    assert task.target_tokenizer.decode([*ids.source]) == task.target_tokenizer.decode(ids.source[1:])


@pytest.mark.parametrize(
    ("budget", "kept"),
    [
        (10, "<user> one two <system> four five <user> six seven </s>"),
        (9, "<system> four five <user> six seven </s>"),
        (7, "<system> four five <user> six seven </s>"),
        (6, "<user> six seven </s>"),
        (3, "<user> seven </s>"),
    ],
)
def test_the_oldest_turns_go_first(budget: int, kept: str) -> None:
    task = make(max_source_length=budget)
    example = Example("one two\nfour five\nsix seven")
    [encoded] = task.encode([example])
    assert " ".join(task.source_tokenizer.tokens(encoded.source)) == kept == " ".join(task.source_tokens(example))
    assert len(encoded.source) <= budget
    notices = task.notices()
    assert notices == [] if budget == 10 else notices[0].startswith(f"trimmed 1 of 1 contexts to {budget} tokens")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, run_s2s: Callable[..., Any]) -> Path:
    """Answers depend on the turn and, for ``And?``, on the turn before it."""
    folder = tmp_path_factory.mktemp("dialogue")
    cities = {"Rome": "Pizza .", "Paris": "Cheese .", "Oslo": "Fish ."}
    talks = [f"{c}\t\tI am in {c} .\tI know {c} .\n{c}\tI know {c} .\tAnd ?\t{food}\n" for c, food in cities.items()]
    (folder / "talk.tsv").write_text("".join(talks) * 4, encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG % {"data": folder / "talk.tsv"}, encoding="utf-8")
    done = run_s2s("train", folder / "config.yaml", "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_chat_through_a_pipe(run: Path, run_s2s: Callable[..., Any]) -> None:
    turns = "/beam 2\nI am in Rome .\n\nAnd ?\n/undo\n/undo\nI am in Oslo .\nAnd ?\n/history\n/reset\n/history\n"
    done = run_s2s("chat", run, input=turns)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["I know Rome .", "Pizza .", "I know Oslo .", "Fish ."]
    assert "taken back: And ?\ntaken back: I am in Rome .\n" in done.stderr
    assert "you  I am in Oslo .\n it  I know Oslo .\nyou  And ?\n it  Fish .\n" in done.stderr
    assert done.stderr.endswith("nothing was said yet\n")


def test_chat_says_what_is_wrong(run: Path, tiny_run: Path, run_s2s: Callable[..., Any]) -> None:
    for line, message in {
        "/bem 3": "no command /bem",
        "/beam x": "must be a whole number",
        "/beam 0": "beam_size",
    }.items():
        done = run_s2s("chat", run, input=line + "\n")
        assert done.returncode == 2 and message in done.stderr, done.stderr
    done = run_s2s("chat", run, "--skip-bad", "--sampling", "off", input=b"\xff\n/no\nI am in Rome .\n", encoding=None)
    assert done.returncode == 0 and done.stdout.decode() == "I know Rome .\n"
    assert b"line 1: is not valid UTF-8" in done.stderr
    refused = run_s2s("chat", tiny_run, input="one\n")
    assert refused.returncode == 2 and "Translation holds no conversations" in refused.stderr


def test_a_conversation_longer_than_any_budget_goes_on(run: Path) -> None:
    conversation = Conversation(load(run), sampling="off")
    for _ in range(12):
        assert "".join(conversation.say("I am in Paris .")) == conversation.turns[-1]
    assert conversation.turns[:2] == ["I am in Paris .", "I know Paris ."]
    assert len(conversation.turns) == 24
    assert "trimmed" in conversation.pipeline.task.notices()[0]
    with pytest.raises(UserError, match="list of turns"):
        load(run).task.conversation([])


def test_answers_are_drawn_unless_told_otherwise(run: Path) -> None:
    pipeline = load(run)
    assert (pipeline.config.search.sampling, pipeline.config.search.top_p) == ("tokens", 0.9)
    answers = pipeline.respond([{"context": ["I am in Rome .", "I know Rome .", "And ?"]}], sampling="off")
    assert answers[0].text == "Pizza ."
    assert answers[0].source_tokens[0] == "<user>" and answers[0].source_tokens[-1] == "</s>"


def test_an_evaluation_measures_perplexity_too(run: Path, run_s2s: Callable[..., Any]) -> None:
    done = run_s2s("evaluate", run, "--data", run.parent / "talk.tsv", "--json", "--set", 'sampling="off"')
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report["metrics"]) == {"bleu", "distinct1", "distinct2", "length", "perplexity"}, done.stderr
    assert 1 < report["metrics"]["perplexity"] < 1.5 and report["examples"] == 24
    long = run.parent / "long.jsonl"
    turns = ["I am in Rome ."] * 15
    long.write_text(json.dumps({"context": turns, "response": "I know Rome ."}) + "\n", encoding="utf-8")
    done = run_s2s("evaluate", run, "--data", long, "--show", 0)
    assert "trimmed 1 of 1 contexts to 24 tokens" in done.stderr  # once, though they are encoded twice
