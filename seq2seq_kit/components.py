"""What a plugin declares: components, by kind and name, as strings that are loaded on first use.

This module is torch-free, so that listing plugins never imports torch or a model's code.
"""

from __future__ import annotations

import re
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
"""The closed list of component kinds."""

RESERVED_VERBS: tuple[str, ...] = (
    "train",
    "average",
    "evaluate",
    "inspect",
    "score",
    "import",
    "export",
    "compile",
    "plugins",
    "demo",
    "chat",
)
"""The commands of ``s2s`` that belong to no task: a task's verb is none of them."""


@dataclass(frozen=True)
class Component:
    """One named, lazily loaded component.

    Args:
        kind: one of :data:`KINDS`.
        name: the bare name that configurations use: lower-case letters, digits, ``_`` and ``-``.
        target: ``"package.module:Class"``, imported on first use; or the class itself (Python API).
        config: ``"package.module:Config"`` or the class: a :class:`seq2seq_kit.config.ComponentConfig` that validates
            the component's section of a configuration. ``None`` where there is nothing to configure.
        summary: one line for ``s2s plugins list``.
        state_version: raised by the author whenever saved parameters or state change meaning. At least 1.
        verb: for tasks, the command line verb and pipeline method that the task offers (``"translate"``).

    Raises:
        ValueError: a field is wrong; the message names the component, the field and what would be right.
    """

    kind: str
    name: str
    target: str | type
    config: str | type | None = None
    summary: str = ""
    state_version: int = 1
    verb: str | None = None

    def __post_init__(self) -> None:
        what = f"{self.kind} {self.name!r}"
        if self.kind not in KINDS:
            raise ValueError(f"component {self.name!r}: unknown kind {self.kind!r}; the kinds are {', '.join(KINDS)}")
        if not _matches(r"[a-z0-9][a-z0-9_-]*", self.name):
            raise ValueError(f"{what}: a name has lower-case letters, digits, '_' and '-' only")
        for field in ("target", "config"):
            value = getattr(self, field)
            optional = field == "config" and value is None
            if not (optional or isinstance(value, type) or _matches(r"[^\W\d][\w.]*:[^\W\d]\w*", value)):
                raise ValueError(f"{what}: {field} must be 'package.module:Class' or a class, got {value!r}")
        if not isinstance(self.state_version, int) or self.state_version < 1:
            raise ValueError(f"{what}: state_version must be a whole number of at least 1, got {self.state_version!r}")
        if self.verb is not None and (self.kind != "task" or not _matches(r"[a-z][a-z_]*", self.verb)):
            raise ValueError(f"{what}: a verb is a task's, in lower-case letters, got {self.verb!r}")
        if self.verb in RESERVED_VERBS:
            raise ValueError(f"{what}: the verb {self.verb!r} is a command of s2s itself")

    @property
    def package(self) -> str:
        """The top-level package of the component's class."""
        module = self.target.partition(":")[0] if isinstance(self.target, str) else self.target.__module__
        return module.partition(".")[0]

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


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None
