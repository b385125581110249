"""The hooks of seq2seq_kit. A plugin is a module that implements any of them; its distribution names the module in the
entry-point group ``seq2seq_kit``. The module must be quick to import: no torch, no model code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from seq2seq_kit.components import Component

if TYPE_CHECKING:
    import typer

PROJECT = "seq2seq_kit"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Return the components that this plugin provides."""


@hookspec
def register_commands(cli: typer.Typer) -> None:
    """Add commands to the ``s2s`` command line. Names of built-in commands are refused."""
