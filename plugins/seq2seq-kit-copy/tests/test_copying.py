"""A model that learns to copy: names that it never saw are in its outputs, in a batch and alone, resumed and loaded."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq_kit import load

CONFIG = """\
seed: 1
task:
  name: summarization
  source_tokenizer: {name: word, min_frequency: 4}
  copying: true
  metrics: [exact]
data: {train: [TRAIN], dev: [DEV]}
model:
  encoder: {name: gru, embedding_size: 16, size: 24, bidirectional: true}
  decoder:
    name: copy
    coverage_loss: 0.1
    decoder: {name: gru, embedding_size: 16, size: 24, attention: coverage}
  share_embeddings: true
training:
  max_steps: 160
  batch_tokens: 256
  learning_rate: 0.01
  validate_every: 80
  validation_examples: 20
search: {beam_size: 3, max_length: 12}
"""


def pairs(seed: int, count: int) -> list[dict[str, str]]:
    """Messages about two people, whose names no two messages share, and who is to be told what."""
    generator, made = random.Random(seed), []
    for number in range(count):
        one, other = ("".join(generator.choices("bdfgklmnprstvz", k=5)) + f"{seed}{number}{who}" for who in "ab")
        time = generator.choice(["today", "tomorrow", "on monday"])
        made.append(
            {"document": f"hello , {one} said that {other} will come {time} .", "summary": f"{one} : {other} {time}"}
        )
    return made


def s2s(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seq2seq_kit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copying")
    for name, seed, count in (("train", 1, 200), ("dev", 2, 20)):
        lines = "".join(json.dumps(pair) + "\n" for pair in pairs(seed, count))
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    text = CONFIG.replace("TRAIN", str(folder / "train.jsonl")).replace("DEV", str(folder / "dev.jsonl"))
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    done = s2s("train", folder / "config.yaml", "--out", folder / "run", "--set", "training.max_steps=140")
    assert done.returncode == 0, done.stderr
    done = s2s("train", "--resume", folder / "run", "--set", "training.max_steps=160")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_names_never_seen_are_copied(run: Path) -> None:
    pipeline, unseen = load(run), pairs(3, 40)
    outputs = pipeline.summarize([pair["document"] for pair in unseen])
    right = [output.text == pair["summary"] for output, pair in zip(outputs, unseen, strict=True)]
    names = [pair["summary"].split()[0] for pair in unseen]
    assert all(ids == [3] for ids in pipeline.task.target_tokenizer.encode(names))  # unknown
    assert sum(right) >= 36, [output.text for output in outputs]
    [alone] = pipeline.summarize([unseen[right.index(True)]["document"]])
    assert alone.text == unseen[right.index(True)]["summary"] and len(alone.tokens) == len(alone.text.split())


def test_a_source_without_such_words_and_an_empty_one_are_decoded(run: Path) -> None:
    pipeline = load(run)
    plain, empty, long = pipeline.summarize(["hello , said that will come today .", "", "Qxyzzy " * 300])
    assert empty.text == "" and plain.score > float("-inf") and long.score > float("-inf")


def test_samples_targets_and_beams_know_the_words(run: Path) -> None:
    pipeline, [pair] = load(run), pairs(4, 1)
    [sampled] = pipeline.summarize(
        [pair["document"]], sampling="tokens", temperature=0.3, seed=1, n_best=1, beam_size=1
    )
    assert set(sampled.text.split()) - {":"} <= {*pair["document"].split(), "<unk>"}
    best, other = pipeline.rank(pair["document"], ["hello : today today", pair["summary"]])
    assert best[0] == pair["summary"] and best[1].log_prob > other[1].log_prob
    [found] = pipeline.summarize([pair["document"]], n_best=3, top_tokens=3)
    assert found.top_tokens[0][0][0] == found.tokens[0] and len(found.alternatives) == 2


def test_its_step_is_not_compiled(run: Path) -> None:
    done = s2s("compile", run)
    assert done.returncode == 2 and "copies words of the source" in done.stderr
