"""Training that starts from another run: its tokenizers and its weights; and training of some parameters only."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from seq2seq_kit.checkpoint import load_run, weights
from seq2seq_kit.console import stderr
from seq2seq_kit.errors import CheckpointError, ConfigError
from seq2seq_kit.interfaces import EncodedExample, Task
from seq2seq_kit.manifest import TOKENIZERS, check_task_files, read_manifest
from seq2seq_kit.model import Model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig
from seq2seq_kit.training.parameter_names import matching

log = logging.getLogger(__name__)


def task_of(run: Path, config: RunConfig) -> Task:
    """The task of a configuration with the tokenizers of a run, so that ids mean the same tokens.

    Raises:
        ConfigError: the configuration asks for other tokenizers; the message names the field and both values.
        CheckpointError: the run is missing or damaged.
    """
    manifest = read_manifest(run)
    ours, theirs = config.task.model_dump(mode="json"), manifest.config["task"]
    if ours["name"].rpartition("/")[2] != theirs["name"].rpartition("/")[2]:
        raise ConfigError(f"task: is {ours['name']!r}, but {run} was trained for {theirs['name']!r}")
    for field, value in ours.items():
        if "tokenizer" in field and value != theirs.get(field):
            raise ConfigError(
                f"task.{field}: is {value}, but {run}, whose tokenizers are used so that ids mean the same tokens, was "
                f"trained with {theirs.get(field)}; write that, or train without --from"
            )
    check_task_files(run, manifest)
    task: Task = build("task", config.task)
    task.load(run / TOKENIZERS)
    return task


def start_from(run: Path, model: Model, task: Task) -> None:
    """Copy the best weights of a run into a new model, every one of them.

    Raises:
        CheckpointError: the run is missing or damaged, or does not fit; the message names the first difference.
    """
    start = load_run(run, "best", next(model.parameters()).device)
    what = f"{run}: its weights do not fit the model of this configuration"
    _check_same_vocabularies(what, start.task, task)
    ours, theirs = weights(model), weights(start.model)
    for name in {**ours, **theirs}:
        if name not in theirs or name not in ours:
            raise CheckpointError(f"{what}: the parameter {name} is only {'here' if name in ours else 'there'}")
        there, here = list(theirs[name].shape), list(ours[name].shape)
        if here != there:
            raise CheckpointError(f"{what}: the parameter {name} has the shape {there} there and {here} here")
    model.load_state_dict(start.model.state_dict())


def _check_same_vocabularies(what: str, theirs: Task, ours: Task) -> None:
    for side, tokenizer in ours.tokenizers().items():
        other = theirs.tokenizers()[side]
        one, two = other.vocab_size, tokenizer.vocab_size
        tokens = zip(other.tokens(range(min(one, two))), tokenizer.tokens(range(min(one, two))), strict=True)
        other_tokens = [f" (token {i} is {a!r} there and {b!r} here)" for i, (a, b) in enumerate(tokens) if a != b]
        if one != two or other_tokens:
            sizes = f"has {one:,} tokens there and {two:,} here"
            raise CheckpointError(f"{what}: the {side} vocabulary {sizes}{''.join(other_tokens[:1])}")


def warn_of_unknown_tokens(run: Path, examples: Sequence[EncodedExample], task: Task) -> None:
    """Say how much of the development data the tokenizers of another run cannot write, if that is 1% or more."""
    for side, tokenizer in task.tokenizers().items():
        sequences = [getattr(example, side) or [] for example in examples]
        tokens = sum(map(len, sequences))
        share = sum(sequence.count(tokenizer.unk_id) for sequence in sequences) / max(tokens, 1)
        if share >= 0.01:
            log.warning(
                "%.1f%% of the development data's %s tokens are unknown to the tokenizers of %s", 100 * share, side, run
            )


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Learn no parameter that one of ``patterns`` names; see :func:`matching`. Says how many those are.

    Raises:
        ConfigError: a pattern matches nothing, or nothing is left to be learned.
    """
    if not patterns:
        return
    frozen = matching(model, patterns, "freeze")
    for parameter in frozen.values():
        parameter.requires_grad_(False)
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not learned:
        raise ConfigError(f"training.freeze: {', '.join(patterns)} leaves nothing to be learned")
    numbers = sum(p.numel() for p in set(frozen.values()))
    line = f"training.freeze: {len(frozen)} parameters with {numbers:,} numbers are frozen, {learned:,} are learned"
    stderr().print(line, highlight=False, soft_wrap=True)
