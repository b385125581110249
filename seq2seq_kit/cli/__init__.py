"""The command line ``s2s``: one module a verb, and what plugins add. No torch is imported before a command needs it.

Exit codes: 0 done; 2 the user's input or usage; 1 a bug, of ours or of a plugin; 130 interrupted; 141 the reader of
our output went away (``s2s translate … | head``).
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
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
from seq2seq_kit.errors import PluginFailure, UserError
from seq2seq_kit.plugins import Provider, cause, load_plugins
from seq2seq_kit.registry import registry


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (default: this process's) and exit."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments  # anywhere: one adds it to the end of the command that failed
    _plug_closed_streams()
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):  # for names of files
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)  # whatever the locale: what is read is UTF-8 too
    try:
        commands = application()
        if arguments[:1] != ["plugins"]:  # which reports them itself
            for broken in load_plugins().broken:
                print(f"Warning: {broken}", file=sys.stderr)
        commands.main([a for a in arguments if a != "--debug"], prog_name="s2s")
    except (Exception, KeyboardInterrupt) as error:
        code, message = _explain(error)
        with suppress(OSError):  # nobody reads what is wrong
            if debug:
                traceback.print_exc()
            print(f"Error: {message}", file=sys.stderr, flush=True)
        sys.exit(code)


def _plug_closed_streams() -> None:
    """What a shell has closed (``>&-``) reads as empty, and loses what is written: a file that is opened must not take
    its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115 (for as long as the process)


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
    if isinstance(error, PluginFailure) and not isinstance(error.__cause__, UserError):
        return 1, f"{error}\n{_AGAIN}"
    if isinstance(error, UserError):
        return 2, str(error)
    if isinstance(error, OSError) and (error.filename is not None or _disk_full(error)):
        return 2, f"{error.filename or 'stdout'}: {error.strerror or error}"
    if _out_of_memory(error):
        return (
            2,
            f"there is not enough memory ({cause(error)}): smaller batches and narrower beams need less",
        )
    return 1, f"this is a bug {_whose(error)}: {cause(error)}\n{_AGAIN}"


_AGAIN = "Run it again with --debug and report what it prints, please."


def _disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _out_of_memory(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from seq2seq_kit.training.out_of_memory import is_out_of_memory

    return is_out_of_memory(error)


def _whose(error: BaseException) -> str:
    """Whose bug an exception is: a plugin's, where it came from that plugin's code; ours, or that of a plugin which
    called us, where it came from ours."""
    try:
        known = registry()
    except Exception:  # the very error that is to be explained
        return "of ours"
    owners = {known.plugins.package(provider): str(provider) for provider in known.plugins.providers}
    owners |= {provided.component.package: str(provided.provider) for provided in known.provided()}
    ours = __name__.partition(".")[0]
    owners.pop(ours, None)
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [package for module in modules if (package := module.partition(".")[0]) in (ours, *owners)]
    if packages and packages[-1] in owners:
        return f"of {owners[packages[-1]]}"
    return " or ".join(["of ours", *(f"of {owners[p]}" for p in dict.fromkeys(packages) if p in owners)])
