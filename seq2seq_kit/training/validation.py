"""Validation: the loss on all of the development data, and the task's metrics on what the engine decodes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from seq2seq_kit.data.references import with_references
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.evaluation.evaluate import Evaluation, evaluate
from seq2seq_kit.interfaces import Criterion, Example, Task
from seq2seq_kit.model import Model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig, TrainingConfig
from seq2seq_kit.training.corpus import Corpus, token_batches
from seq2seq_kit.training.objective import objective


class Validator:
    """Measures a model on the development data.

    Attributes:
        metric: the name of the number that makes a checkpoint the best.
        higher_is_better: which way it is better.
        decoded: what the last validation decoded; None: nothing.

    Raises:
        ConfigError: ``training.validation_metric`` is not among the numbers there are.
    """

    def __init__(self, config: RunConfig, task: Task, corpus: Corpus, device: torch.device) -> None:
        self.metric, self.higher_is_better = _chosen_metric(config.training, task)
        self._sign = 1 if self.higher_is_better else -1
        self._config = config
        self._task = task
        self._dev = corpus.dev
        references = with_references(corpus.dev_examples, by_source=task.group_references)
        self._sample = spread(references, config.training.validation_examples if task.metrics() else 0)
        self._device = device
        self._processors = [build("processor", section, task.target_spec) for section in config.processors]
        self.decoded: Evaluation | None = None

    def best_first(self, validations: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
        """(step, value of the metric) of validations in the order of their worth; of equals the earlier first."""
        return sorted(validations, key=lambda v: (math.isnan(v[1]), -v[1] * self._sign, v[0]))

    def better(self, value: float, best: float | None) -> bool:
        """Is ``value`` of the metric better than the best so far (None: there is none)?"""
        return not math.isnan(value) and (best is None or (value - best) * self._sign > 0)

    def measure(self, model: Model, criterion: Criterion, tick: Callable[[], None]) -> dict[str, float]:
        """All numbers by name: ``loss``, ``nll``, ``perplexity``, ``accuracy`` and the task's metrics.

        Draws nothing from the generators that training draws from, so that a run is the same with or without it.

        Args:
            tick: called after each batch; may raise.
        """
        model.eval()
        criterion.eval()
        try:
            with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
                return {**self._losses(model, criterion, tick), **self._scores(model, tick)}
        finally:
            model.train()
            criterion.train()

    @torch.no_grad()
    def _losses(self, model: Model, criterion: Criterion, tick: Callable[[], None]) -> dict[str, float]:
        """Means over the target tokens of all the development data, teacher-forced."""
        loss = nll = correct = 0.0
        tokens = 0
        for indices in token_batches(self._dev, self._config.training.batch_tokens, seed=0).batches(0):
            batch = self._task.collate([self._dev[i] for i in indices]).to(self._device)
            output = objective(model, criterion, batch)
            loss += float(output.loss)
            nll += float(output.nll)
            correct += float(output.correct)
            tokens += output.tokens
            tick()
        return {
            "loss": loss / tokens,
            "nll": nll / tokens,
            "perplexity": math.exp(min(nll / tokens, 700.0)),  # e**709 is the largest double
            "accuracy": correct / tokens,
        }

    def _scores(self, model: Model, tick: Callable[[], None]) -> dict[str, float]:
        """The task's metrics on the decoded sample."""
        if not self._sample:
            return {}
        options, device = self._config.search, self._device
        if self._config.training.attention_pictures:
            options = replace(options, attention=True)
        how: dict[str, Any] = {"processors": self._processors, "progress": lambda _: tick()}
        self.decoded = evaluate(model, self._task, self._sample, options, device=device, **how)
        return self.decoded.metrics


def spread(examples: Sequence[Example], count: int | None) -> list[Example]:
    """``count`` examples evenly spread over all (a file may be sorted), always the same ones; all for ``None``."""
    if count is None or count >= len(examples):
        return list(examples)
    return [examples[i * len(examples) // count] for i in range(count)]


def _chosen_metric(config: TrainingConfig, task: Task) -> tuple[str, bool]:
    """The metric's name, and whether more of it is better."""
    metrics = task.metrics() if config.validation_examples != 0 else {}
    name = config.validation_metric or next(iter(metrics), "loss")
    if name == "loss":
        return name, False
    if name not in metrics:
        why = "" if metrics else ", because training.validation_examples is 0"
        there_is = ", ".join([*metrics, "loss"])
        raise ConfigError(f"training.validation_metric: there is no {name!r} (there is: {there_is}{why})")
    return name, metrics[name].higher_is_better
