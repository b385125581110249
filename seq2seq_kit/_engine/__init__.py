"""The compiled search engine, loaded only beside the torch that it was compiled against."""

from __future__ import annotations

import torch

from seq2seq_kit.errors import UserError


class EngineError(UserError, ImportError):
    """The compiled engine cannot be loaded: it is missing, or was built against another torch."""


def _check_torch(built: str, running: str) -> None:
    """An extension of torch works with the minor version it was built with; any other ends in a missing symbol."""
    if built.split(".")[:2] != running.split(".")[:2]:
        raise EngineError(
            f"seq2seq_kit was compiled against torch {built}, but torch {running} is installed. Reinstall it against "
            f"this torch (pip install --no-build-isolation --force-reinstall --no-deps seq2seq_kit), or install torch "
            f"{'.'.join(built.split('.')[:2])}."
        )


try:
    from seq2seq_kit._engine._built_with import TORCH_VERSION
except ModuleNotFoundError as error:
    raise EngineError(
        "seq2seq_kit's compiled engine is missing: install the package (pip install .) rather than importing its source"
    ) from error

_check_torch(TORCH_VERSION, torch.__version__)

from seq2seq_kit._engine._native import (  # noqa: E402
    ABI,
    Automaton,
    Cancellation,
    NativeStep,
    RecurrentEncoderWeights,
    RecurrentOptions,
    RecurrentWeights,
    ResidualOptions,
    SearchOptions,
    SentenceInput,
    TransformerEncoderWeights,
    TransformerOptions,
    TransformerWeights,
    attend,
    attend_backward,
    cross_entropy,
    residual,
    residual_backward,
    search,
    search_ensemble,
    search_table,
)

__all__ = [
    "ABI",
    "TORCH_VERSION",
    "Automaton",
    "Cancellation",
    "EngineError",
    "NativeStep",
    "RecurrentEncoderWeights",
    "RecurrentOptions",
    "RecurrentWeights",
    "ResidualOptions",
    "SearchOptions",
    "SentenceInput",
    "TransformerEncoderWeights",
    "TransformerOptions",
    "TransformerWeights",
    "attend",
    "attend_backward",
    "cross_entropy",
    "residual",
    "residual_backward",
    "search",
    "search_ensemble",
    "search_table",
]
