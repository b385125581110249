"""The command line ``s2s``: one module a verb, and what plugins add. No torch is imported before a command needs it.

Exit codes: 0 done; 2 the user's input or usage; 1 a bug of ours; 130 interrupted; 141 the reader of our output went
away (``s2s translate … | head``).
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seq2seq_kit import __version__
from seq2seq_kit.cli import (
    average,
    chat,
    compiling,
    decode,
    demo,
    evaluate,
    import_export,
    inspect,
    plugins,
    score,
    train,
)
from seq2seq_kit.errors import UserError
from seq2seq_kit.plugins import BUILTIN, Provider, cause, load_plugins
from seq2seq_kit.registry import registry


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (default: this process's) and exit."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments  # anywhere: one adds it to the end of the command that failed
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # whatever the locale: what is read is UTF-8 too
    try:
        commands = application()
        if arguments[:1] != ["plugins"]:  # which reports them itself
            for broken in load_plugins().broken:
                print(f"Warning: {broken}", file=sys.stderr)
        commands.main([a for a in arguments if a != "--debug"], prog_name="s2s")
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code, message = _explain(error)
        print(f"Error: {message}", file=sys.stderr)
        sys.exit(code)


def application() -> TyperGroup:
    """The built-in commands, then those of plugins."""
    cli = typer.Typer(cls=_Commands, no_args_is_help=True, rich_markup_mode=None)
    cli.callback()(_options)
    for module in (train, average, evaluate, inspect, score, import_export, compiling, decode, chat, plugins, demo):
        module.add_to(cli)
    commands = typer.main.get_command(cli)
    assert isinstance(commands, TyperGroup)
    for provider in load_plugins().providers:
        try:
            _add_commands_of(provider, commands)
        except (Exception, SystemExit) as error:  # a stranger's hook may raise anything
            load_plugins().report(provider, error)
    return commands


def _add_commands_of(provider: Provider, commands: TyperGroup) -> None:
    """Add all of a plugin's commands; none where one's name is taken. One for the verb of a task of the plugin's own
    takes the place of the command that every task has."""
    own = typer.Typer(rich_markup_mode=None)
    load_plugins().call(provider, "register_commands", cli=own)
    new = typer.main.get_group(own).commands
    tasks = registry().provided("task")
    for name in new:
        owners = {task.provider for task in tasks if task.component.verb == name}
        if name in commands.commands and owners != {provider}:
            raise ValueError(f"there is a command {name!r} already; none of its commands is added")
    commands.commands.update(new)


class _Commands(TyperGroup):
    """The top level, where a failing stdout is met while it can still be closed without a second error."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except OSError as error:
            if isinstance(error, BrokenPipeError) or _disk_full(error):
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer goes nowhere
            if isinstance(error, BrokenPipeError):
                raise typer.Exit(141) from None
            raise


def _version(asked: bool) -> None:
    if asked:
        print(f"seq2seq_kit {__version__}")
        raise typer.Exit


def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; works anywhere.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", callback=_version)] = False,
) -> None:
    """Train sequence-to-sequence models and decode with them.

    Example: s2s demo --quick
    """


def _explain(error: BaseException) -> tuple[int, str]:
    """The exit code for an exception, and what to say."""
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, UserError) or _disk_full(error):
        return 2, str(error)
    whose = " or ".join(["of ours", *_plugins_in(error)])
    return 1, f"this is a bug {whose}: {cause(error)}\nRun it again with --debug and report what it prints, please."


def _disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _plugins_in(error: BaseException) -> list[str]:
    """The plugins whose code an exception came through."""
    modules = {frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)}
    packages = {module.partition(".")[0] for module in modules}
    try:
        found = load_plugins()
    except Exception:  # the very error that is to be explained
        return []
    return [f"of {p}" for p in found.providers if p.distribution != BUILTIN and found.package(p) in packages]
