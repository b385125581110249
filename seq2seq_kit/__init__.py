"""seq2seq_kit: sequence-to-sequence models in which everything that has a name is a plugin, and everything that
decodes, decodes in C++.

Importing the package is quick: torch is imported on the first use of a name that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "Attention": "seq2seq_kit.interfaces",
    "Batch": "seq2seq_kit.interfaces",
    "Component": "seq2seq_kit.components",
    "ComponentConfig": "seq2seq_kit.config",
    "Decoder": "seq2seq_kit.interfaces",
    "DecoderOutput": "seq2seq_kit.interfaces",
    "DecoderState": "seq2seq_kit.interfaces",
    "Encoder": "seq2seq_kit.interfaces",
    "Hypothesis": "seq2seq_kit.decoding.hypothesis",
    "Memory": "seq2seq_kit.interfaces",
    "SearchOptions": "seq2seq_kit.decoding.options",
    "StepOutput": "seq2seq_kit.interfaces",
    "UserError": "seq2seq_kit.errors",
    "hookimpl": "seq2seq_kit.hookspecs",
    "load": "seq2seq_kit.decoding.pipeline",
    "register": "seq2seq_kit.registry",
    "search": "seq2seq_kit.decoding.search",
}

__all__ = ["__version__", *sorted(_LAZY)]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'seq2seq_kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
