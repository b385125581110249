"""Decodes a test set and scores it with the task's metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from seq2seq_kit.data.references import with_references
from seq2seq_kit.decoding.generate import generate
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import Example, Output, Task
from seq2seq_kit.model import Model


@dataclass
class Evaluation:
    """The result of one test set."""

    metrics: dict[str, float]
    signatures: dict[str, str]
    examples: list[Example]
    outputs: list[Output]
    seconds: float
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    """The metrics of answers made without a model, by their names; see :func:`baseline_scores`."""
    tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = sum(len(output.token_scores) for output in self.outputs)

    def report(self) -> dict[str, object]:
        """What a program would read."""
        return {
            "metrics": self.metrics,
            "signatures": self.signatures,
            "examples": len(self.examples),
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            **({"baselines": self.baselines} if self.baselines else {}),
        }


def evaluate(
    model: Model,
    task: Task,
    examples: Iterable[Example],
    options: SearchOptions,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
    keep: Callable[[Output], Output] | None = None,
    **how: Any,
) -> Evaluation:
    """Decode ``examples`` and compare with their targets and references.

    Args:
        examples: see :func:`~seq2seq_kit.data.references.with_references` for several targets of one source.
        keep: makes of each output, as soon as it is there, what is kept of it: the attention of a whole test set takes
            much memory.
        how: as for :func:`~seq2seq_kit.decoding.generate.generate`.
    """
    given = with_references(examples, by_source=False)
    start = time.perf_counter()
    how |= {"device": device, "batch_size": batch_size, "progress": progress}
    outputs = [keep(output) if keep else output for output in generate(model, task, given, options, **how)]
    seconds = time.perf_counter() - start
    texts = [output.text for output in outputs]
    references = [example.references for example in given]
    metrics = task.metrics()
    scores = {name: metric(texts, references) for name, metric in metrics.items()} if texts else {}
    # A sacreBLEU metric knows its signature (the number of references) only once it has scored.
    signatures = {name: metric.signature() for name, metric in metrics.items()}
    return Evaluation(scores, signatures, given, outputs, seconds)


def baseline_scores(task: Task, examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """For each of the task's baselines its metrics by name.

    Args:
        examples: with ``references``, as :func:`~seq2seq_kit.data.references.with_references` makes them.
    """
    references = [example.references for example in examples]
    return {
        name: {metric_name: metric(answers, references) for metric_name, metric in task.metrics().items()}
        for name, answers in task.baselines(examples).items()
    }
