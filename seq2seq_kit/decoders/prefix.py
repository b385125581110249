"""Names of a part's tensors among those of the whole."""

from __future__ import annotations

from seq2seq_kit.interfaces import TensorDict


def add_prefix(prefix: str, tensors: TensorDict) -> TensorDict:
    """The tensors, ``prefix`` before each name."""
    return {prefix + name: x for name, x in tensors.items()}


def strip_prefix(prefix: str, tensors: TensorDict) -> TensorDict:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}
