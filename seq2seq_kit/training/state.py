"""Where a run stands: all that makes a resumed run the same as an unbroken one, as safetensors and JSON.

``training.safetensors`` holds the weights (``model.*``), the optimizer (``optimizer.<parameter>.<name>``), the random
generators (``random.*``), and as metadata the fields of :class:`TrainingState`. The order of the data needs no
generator: it is a function of the seed and the epoch.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq_kit.checkpoint import LAST, MODEL_PREFIX, load_weights, weights
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.sealed import read_tensors, write_tensors

_OPTIMIZER = "optimizer."


@dataclass
class Window:
    """Sums over the steps since the last record."""

    steps: int = 0
    loss: float = 0.0  # over tokens, not a mean
    tokens: int = 0
    gradient_norm: float = 0.0
    seconds: float = 0.0


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
    data_digest: str = ""  # of the encoded training data: a resumed run must see the same
    window: Window = field(default_factory=Window)


def save_state(run: Path, state: TrainingState, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Replace ``training.safetensors`` in one atomic step."""
    python_version, python_words, gauss_next = random.getstate()
    tensors = {f"{MODEL_PREFIX}{name}": tensor for name, tensor in weights(model).items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{_OPTIMIZER}{name}.{key}"] = value
    tensors["random.python"] = torch.tensor(python_words, dtype=torch.int64)
    tensors["random.torch"] = torch.get_rng_state()
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    facts = {**asdict(state), "python_random": [python_version, gauss_next]}
    write_tensors(run / LAST, tensors, facts)


def load_state(run: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> TrainingState:
    """Put model, optimizer and random generators back to where :func:`save_state` found them."""
    tensors, facts = read_tensors(run / LAST)
    load_weights(model, _below(MODEL_PREFIX, tensors), run / LAST)
    _load_optimizer(optimizer, model, _below(_OPTIMIZER, tensors))
    try:
        python_version, gauss_next = facts["python_random"]
        random.setstate((python_version, tuple(tensors["random.python"].tolist()), gauss_next))
        torch.set_rng_state(tensors["random.torch"])
        device = next(model.parameters()).device
        if device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], device)
        values = {f.name: facts[f.name] for f in fields(TrainingState)}
    except KeyError as error:
        raise CheckpointError(f"{run / LAST}: is incomplete: it holds no {error}") from None
    return TrainingState(**{**values, "window": Window(**values["window"])})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _load_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The optimizer counts parameters in the order of ``model.named_parameters()``; its own hyperparameters stay."""
    state: dict[int, dict[str, Tensor]] = {}
    index = {name: i for i, (name, _) in enumerate(model.named_parameters())}
    for path, tensor in tensors.items():
        name, _, key = path.rpartition(".")
        state.setdefault(index[name], {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
