"""Validation: means over tokens whatever the batches, a sample spread over the file, the metric chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seq2seq_kit.config import validate
from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.interfaces import Example
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.training.corpus import Corpus, load_corpus
from seq2seq_kit.training.validation import Validator, spread


def test_the_sample_is_spread_over_the_file_and_always_the_same() -> None:
    examples = [Example(str(i)) for i in range(100)]
    assert [e.source for e in spread(examples, 4)] == ["0", "25", "50", "75"]
    assert len({e.source for e in spread(examples, 37)}) == 37
    assert spread(examples, None) == spread(examples, 100) == spread(examples, 1000) == examples
    assert spread(examples, 0) == []


def test_the_loss_is_a_mean_over_tokens_whatever_the_batches(tiny: Callable[..., RunConfig], tiny_run: Path) -> None:
    pipeline = load(tiny_run)
    device = torch.device("cpu")
    measured = []
    for batch_tokens in (10, 5000):
        config = tiny(batch_tokens=batch_tokens, validation_examples=0)
        corpus = load_corpus(config.data, pipeline.task, prepare=False)
        criterion = build("criterion", config.criterion, pipeline.task.target_spec)
        measured.append(
            Validator(config, pipeline.task, corpus, device).measure(pipeline.model, criterion, lambda: None)
        )
    assert set(measured[0]) == {"loss", "nll", "perplexity", "accuracy"}
    assert measured[0] == pytest.approx(measured[1], abs=1e-5)


def test_lower_is_better_for_the_loss_and_higher_for_scores(tiny: Callable[..., RunConfig], tiny_run: Path) -> None:
    task = load(tiny_run).task
    corpus = Corpus([], [], [])
    by_loss = Validator(tiny(validation_metric="loss"), task, corpus, torch.device("cpu"))
    by_score = Validator(tiny(), task, corpus, torch.device("cpu"))
    assert by_score.metric in task.metrics()
    assert by_loss.better(1.0, None) and by_loss.better(1.0, 2.0) and not by_loss.better(2.0, 2.0)
    assert by_score.better(0.0, None) and by_score.better(3.0, 2.0) and not by_score.better(1.0, 2.0)
    assert not by_loss.better(float("nan"), None)
    rates = Translation(validate(TranslationConfig, {"metrics": ["per", "exact"]}, "test"))
    by_rate = Validator(tiny(), rates, corpus, torch.device("cpu"))
    assert by_rate.metric == "per" and by_rate.better(20.0, 30.0) and not by_rate.better(30.0, 20.0)
    nothing_decoded = Validator(tiny(validation_examples=0), task, corpus, torch.device("cpu"))
    assert nothing_decoded.metric == "loss"
