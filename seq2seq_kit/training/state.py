"""Where a run stands: all that makes a resumed run the same as an unbroken one, as safetensors and JSON.

``training.safetensors`` holds the weights (``model.*``, ``criterion.*``), the optimizer
(``optimizer.<parameter>.<name>``), and as metadata the fields of :class:`TrainingState` and the loss scale. No random
generator is in it: the order of the data is a function of the seed and the epoch, and what is random in a step one of
the seed and the step. Where the weights to be used are not those that the optimizer changes (a mean of them, or their
sum with adapters), ``model.*`` are the former and ``trained.*`` the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq_kit.checkpoint import load_weights, weights
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.manifest import LAST, MODEL_PREFIX
from seq2seq_kit.sealed import read_tensors, write_tensors
from seq2seq_kit.training.learner import Learner
from seq2seq_kit.training.sharding import whole

_OPTIMIZER = "optimizer."
_TRAINED = "trained."


@dataclass
class Window:
    """Sums over the steps since the last record."""

    steps: int = 0
    loss: float = 0.0  # over tokens, not a mean
    tokens: int = 0
    gradient_norm: float = 0.0
    seconds: float = 0.0
    positions: int = 0  # of source and target
    padding: int = 0  # how many of them hold none of a sentence

    def __iadd__(self, other: Window) -> Window:
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))
        return self

    def means(self) -> dict[str, float]:
        """By the names of ``metrics.jsonl``."""
        return {
            "loss": self.loss / self.tokens,
            "gradient_norm": self.gradient_norm / self.steps,
            "tokens_per_second": round(self.tokens / self.seconds, 1),
            "padding": self.padding / self.positions,
        }


@dataclass
class TrainingState:
    """The numbers of a run between two steps."""

    step: int = 0  # updates done
    epoch: int = 0  # from 0
    batch: int = 0  # index within the epoch of the next batch
    seconds: float = 0.0  # training time, validation included, over all resumes
    step_seconds: float = 0.0  # the part of it spent in steps
    tokens: int = 0  # target tokens seen
    validated_step: int = -1  # step of the last validation; -1: none yet
    best_step: int | None = None
    best_value: float | None = None
    best_metrics: dict[str, Any] = field(default_factory=dict)
    validations_since_best: int = 0
    kept: list[tuple[int, float]] = field(default_factory=list)  # (step, value) of the validations whose weights stay
    data_digest: str = ""  # of the encoded training data: a resumed run must see the same
    window: Window = field(default_factory=Window)


@dataclass
class Saved:
    """What :func:`load_state` found."""

    state: TrainingState
    facts: dict[str, Any]  # what else was saved


def save_state(
    run: Path,
    state: TrainingState,
    learner: Learner,
    optimizer_state: TensorDict,
    facts: Mapping[str, Any],
    evaluated: nn.Module,
) -> None:
    """Replace ``training.safetensors`` in one atomic step.

    Args:
        optimizer_state: see :func:`state_of`.
        facts: further JSON values to keep.
        evaluated: the model to be used: the learner's own, or another in its place.
    """
    tensors = weights(learner)
    if evaluated is not learner.model:
        trained = {f"{_TRAINED}{name}": tensor for name, tensor in tensors.items()}
        tensors = trained | {f"{MODEL_PREFIX}{name}": tensor for name, tensor in weights(evaluated).items()}
    tensors |= {f"{_OPTIMIZER}{name}": tensor for name, tensor in optimizer_state.items()}
    write_tensors(run / LAST, tensors, {**facts, **asdict(state)})


def state_of(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """What an optimizer keeps, each tensor whole, as ``<parameter>.<name>``.

    Where it is sharded, the parts of one tensor after another are gathered, so that all processes have to go through
    them together.
    """
    for name, parameter in _optimized(optimizer).items():
        for key, value in optimizer.state.get(parameter, {}).items():
            if value is not None:
                yield f"{name}.{key}", whole(value)


def load_state(run: Path, learner: Learner, optimizer: torch.optim.Optimizer, evaluated: nn.Module) -> Saved:
    """Put model, criterion, optimizer and the model to be used back to where :func:`save_state` found them."""
    tensors, facts = read_tensors(run / LAST)
    plain = {name: x for name, x in tensors.items() if not name.startswith((_OPTIMIZER, _TRAINED))}
    load_weights(learner, _below(_TRAINED, tensors) or plain, run / LAST)
    if evaluated is not learner.model:
        load_weights(evaluated, _below(MODEL_PREFIX, plain), run / LAST)
    _load_optimizer(optimizer, _below(_OPTIMIZER, tensors))
    names = [f.name for f in fields(TrainingState)]
    try:
        values = {name: facts.pop(name) for name in names}
    except KeyError as error:
        raise CheckpointError(f"{run / LAST}: is incomplete: it holds no {error}") from None
    values |= {"window": Window(**values["window"]), "kept": [(step, value) for step, value in values["kept"]]}
    return Saved(TrainingState(**values), facts)


def _below(prefix: str, tensors: TensorDict) -> TensorDict:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimized(optimizer: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    """The optimizer's parameters by name, in its own order, by which it numbers their states."""
    groups = optimizer.param_groups
    return {k: p for group in groups for k, p in zip(group["param_names"], group["params"], strict=True)}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: TensorDict) -> None:
    """The states of the parameters that it has; the optimizer's own hyperparameters stay."""
    state: dict[int, TensorDict] = {}
    number = {name: i for i, name in enumerate(_optimized(optimizer))}
    for path, tensor in tensors.items():
        name, _, key = path.rpartition(".")
        if name in number:
            state.setdefault(number[name], {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
