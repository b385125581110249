"""A module's weights as the engine packs them: when they may be, and for how long they hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from seq2seq_kit.interfaces import Precision, TensorDict

Packed = TypeVar("Packed")


class NativeWeights(Generic[Packed]):
    """Packed weights, made at their first use and kept while the module's stay as they were.

    Weights are packed anew when one was replaced, moved or written to. Writes through ``weight.data`` are the ones
    torch does not count: call :meth:`clear` after them. Copies and pickles of the object are empty.

    Args:
        pack: makes them of the module; a function that can be pickled.
    """

    def __init__(self, pack: Callable[[Any, Precision], Packed]) -> None:
        self._pack = pack
        self._kept: dict[Precision, tuple[_Weights, Packed]] = {}
        self._lock = threading.Lock()  # workers that begin together wait for one of them to pack

    def __reduce__(self) -> tuple[Any, ...]:
        return NativeWeights, (self._pack,)

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()

    def of(self, module: nn.Module, precision: Precision) -> Packed:
        """Those of ``module``, for which :func:`is_as_known` holds."""
        now = _Weights.of(module)
        with self._lock:
            kept = self._kept.get(precision)
            if kept is None or kept[0] != now:
                with torch.no_grad():
                    kept = self._kept[precision] = now, self._pack(module, precision)
            return kept[1]

    def let_go(self, module: nn.Module, precision: Precision) -> None:
        """Empty the parameters of ``module`` that are packed in ``precision``, but for its embeddings: what is packed
        now is used from then on. Nothing is done where nothing is packed."""
        with self._lock:
            kept = self._kept.get(precision)
            if kept is None or kept[0] != _Weights.of(module):
                return
            parts = _parts(module)
            embeddings = {id(part.weight) for part in parts if isinstance(part, nn.Embedding)}
            for parameter in _parameters(parts):
                if id(parameter) not in embeddings:
                    parameter.data = parameter.data.new_empty(0)
            self._kept = {precision: (_Weights.of(module), kept[1])}


def is_as_known(module: nn.Module, known: Collection[type]) -> bool:
    """Whether ``module`` computes what the engine knows: in eval mode, on the CPU, in float32, itself and all its parts
    of a ``known`` class (a subclass may do something else) and without hooks."""
    parts = _parts(module)
    return (
        not module.training
        and not torch.is_autocast_enabled("cpu")
        and all(type(part) in known and not part._forward_hooks and not part._forward_pre_hooks for part in parts)
        and all(p.is_cpu and p.dtype == torch.float32 and not p.is_inference() for p in _parameters(parts))
    )


def let_go(module: nn.Module, precision: Precision) -> None:
    """:meth:`NativeWeights.let_go` of the module's own."""
    for weights in vars(module).values():
        if isinstance(weights, NativeWeights):
            weights.let_go(module, precision)


def own_tensors(name: str, module: nn.Module) -> TensorDict:
    """The module's own parameters, without those of its parts: ``name.weight``, ``name.bias`` and what else it has."""
    return {f"{name}.{own}": parameter for own, parameter in module.named_parameters(recurse=False)}


def _parts(module: nn.Module) -> list[nn.Module]:
    """``module`` and all that it is made of, in less time than ``modules()`` takes: it is asked before every batch."""
    parts = [module]
    for part in parts:
        parts.extend(child for child in part._modules.values() if child is not None)
    return parts


def _parameters(parts: list[nn.Module]) -> list[nn.Parameter]:
    return [parameter for part in parts for parameter in part._parameters.values() if parameter is not None]


@dataclass(frozen=True)
class _Weights:
    """What tells whether weights are still the same."""

    parameters: tuple[nn.Parameter, ...]  # kept, so that their ids are no others'
    places: tuple[tuple[int, int, int], ...]  # of each the id, torch's count of writes, and the address of its data

    @staticmethod
    def of(module: nn.Module) -> _Weights:
        parameters = tuple(_parameters(_parts(module)))
        return _Weights(parameters, tuple((id(p), p._version, p.data_ptr()) for p in parameters))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Weights) and self.places == other.places

    __hash__ = None  # type: ignore[assignment]
