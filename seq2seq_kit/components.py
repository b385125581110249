"""What a plugin declares: components, by kind and name, as strings that are loaded on first use.

This module is torch-free, so that listing plugins never imports torch or a model's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

KINDS: tuple[str, ...] = (
    "encoder",
    "decoder",
    "attention",
    "task",
    "tokenizer",
    "criterion",
    "metric",
    "processor",
    "transform",
    "schedule",
    "callback",
    "importer",
)
"""The closed list of component kinds (DESIGN: one folder a kind)."""


@dataclass(frozen=True)
class Component:
    """One named, lazily loaded component.

    Args:
        kind: one of :data:`KINDS`.
        name: the bare name that configurations use (lower case, ``a-z 0-9 _ -``).
        target: ``"package.module:Class"``, imported on first use; or the class itself (Python API).
        config: ``"package.module:Config"`` or the class: a :class:`seq2seq_kit.config.ComponentConfig` that validates
            the component's section of a configuration. ``None`` where there is nothing to configure.
        summary: one line for ``s2s plugins list``.
        state_version: raised by the author whenever saved parameters or state change meaning.
        verb: for tasks, the command line verb and pipeline method that the task offers (``"translate"``).
    """

    kind: str
    name: str
    target: str | type
    config: str | type | None = None
    summary: str = ""
    state_version: int = 1
    verb: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"component {self.name!r}: unknown kind {self.kind!r}; the kinds are {', '.join(KINDS)}")
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum() or self.name != self.name.lower():
            raise ValueError(f"{self.kind} {self.name!r}: a name has lower-case letters, digits, '_' and '-' only")
        for field in ("target", "config"):
            value = getattr(self, field)
            if isinstance(value, str) and value.count(":") != 1:
                raise ValueError(f"{self.kind} {self.name!r}: {field} must be 'package.module:Class', got {value!r}")

    def load(self) -> Any:
        """Import and return the component's class."""
        return _resolve(self.target)

    def load_config(self) -> Any | None:
        """Import and return the component's configuration class, or ``None``."""
        return None if self.config is None else _resolve(self.config)


def _resolve(reference: str | type) -> Any:
    if not isinstance(reference, str):
        return reference
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)
