"""What a family of models is told of: which model of the kit it is, and what its tensors are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seq2seq_kit import UserError

from ..files import Tensors

Config = Mapping[str, Any]
"""The content of ``config.json``, what it leaves out added."""
Names = dict[str, tuple[str, ...]]
"""For each parameter of the kit the tensors of Hugging Face's that it is made of, one below the other."""

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
"""Activations by Hugging Face's names and by the kit's."""
GATED = {"relu": "reglu", "gelu": "geglu", "gelu_tanh": "geglu_tanh", "silu": "swiglu"}


class Family(ABC):
    """One architecture."""

    defaults: dict[str, Any]
    """What ``config.json`` need not say: the defaults of the configuration's class in transformers."""

    @abstractmethod
    def model(self, config: Config) -> dict[str, Any]:
        """The section ``model`` of the run."""

    @abstractmethod
    def names(self, config: Config) -> Names:
        """What the parameters are called."""

    @abstractmethod
    def tied(self, config: Config) -> list[tuple[str, ...]]:
        """Names of one and the same tensor, of which a file has one or several; :meth:`names` has the first."""

    def is_computed(self, name: str) -> bool:
        """Whether a tensor of old files holds nothing that was learnt."""
        return False

    def read(self, config: Config, tensors: Tensors) -> dict[str, Tensor]:
        """The kit's parameters."""
        there = tensors.names()
        calls = {name: _called(name, self.tied(config), there) for name in self._wanted(config)}
        missing = [name for name, found in calls.items() if found is None and name != LOGITS_BIAS]
        if missing:
            more = f" (nor {len(missing) - 1} others)" if len(missing) > 1 else ""
            raise UserError(f"{tensors.folder}: has no tensor {missing[0]!r}{more}")
        known = {name for group in self.tied(config) for name in group} | set(calls.values())
        unknown = sorted(name for name in there - known if f"model.{name}" not in known and not self.is_computed(name))
        if unknown:
            raise UserError(
                f"{tensors.folder}: has a tensor {unknown[0]!r}, which {config['model_type']} models have not"
            )
        found = {}
        for ours, theirs in self.names(config).items():
            parts = [_bias_or(tensors, calls[name], config) for name in theirs]
            found[ours] = parts[0] if len(parts) == 1 else torch.cat(parts)
        return found

    def write(self, config: Config, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Hugging Face's tensors."""
        found = {}
        for ours, theirs in self.names(config).items():
            for name, part in zip(theirs, parameters[ours].chunk(len(theirs)), strict=True):
                found[name] = part.unsqueeze(0) if name == LOGITS_BIAS else part
        return found

    def _wanted(self, config: Config) -> list[str]:
        return [name for theirs in self.names(config).values() for name in theirs]


LOGITS_BIAS = "final_logits_bias"
"""A bias of the output, [1, V], that starts at 0 and is never learnt; files may leave it out."""


def _called(name: str, tied: list[tuple[str, ...]], there: set[str]) -> str | None:
    """What a file calls the tensor; a model without its output layer leaves ``model.`` out."""
    group = next((group for group in tied if name in group), (name,))
    return next((n for each in group for n in (each, each.removeprefix("model.")) if n in there), None)


def _bias_or(tensors: Tensors, name: str | None, config: Config) -> Tensor:
    if name is None:
        return torch.zeros(config.get("decoder_vocab_size") or config["vocab_size"])
    return tensors[name].squeeze(0) if name == LOGITS_BIAS else tensors[name]


def both(ours: str, *theirs: str) -> Names:
    """The weight and the bias of a layer."""
    return {f"{ours}.{part}": tuple(f"{name}.{part}" for name in theirs) for part in ("weight", "bias")}


def activation(config: Config, field: str, name: str) -> str:
    """The kit's name of an activation."""
    if name not in ACTIVATIONS:
        raise UserError(f"config.json: {field} is {config[field]!r}: must be one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
