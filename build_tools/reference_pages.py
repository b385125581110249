"""Writes ``docs/commands.md`` and ``docs/contracts.md`` (``make docs``): the commands, and what a plugin implements.

Both are made of the code itself, its signatures and docstrings, and a test holds the files to it.
"""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["S2S_DISABLE_PLUGINS"] = "*"  # before plugins are loaded: the pages are about the kit alone

import seq2seq_kit
from seq2seq_kit import hookspecs
from seq2seq_kit.cli import application
from seq2seq_kit.components import KINDS
from seq2seq_kit.source import find_class

DOCS = Path(__file__).parents[1] / "docs"
MADE = "<!-- Made by build_tools/reference_pages.py (make docs). -->"
_PLAIN = (bool, int, float, str, Path)


def commands_page() -> str:
    """Every command of ``s2s`` with its arguments and options."""
    parts = [
        "# Commands",
        MADE,
        "Every command has `--help`, and takes `--debug`, which shows the traceback of an error. Exit codes: 0 done, "
        "2 the user's input or usage, 1 a bug, 130 interrupted, 141 the reader of the output went away. Plugins add "
        "commands of their own; these are the built-in ones.",
    ]
    for path, command in _commands(application(), ("s2s",)):
        parts += _command(path, command)
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands of a group and of the groups in it, in the order of the alphabet."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        elif not command.hidden:
            yield (*path, name), command


def _command(path: tuple[str, ...], command: Any) -> list[str]:
    """The section of one command."""
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [_argument(p) for p in shown if _is_argument(p)]
    usage = " ".join([*path, *arguments, "[OPTIONS]"])
    described, *examples = re.split(r"\n\s*Examples?:", inspect.cleandoc(command.help or ""))
    parts = [f"## {' '.join(path)}", f"```\n{usage}\n```", _markdown(described)]
    if examples:
        lines = [line.strip() for line in "\n".join(examples).splitlines() if line.strip()]
        parts.append("```\n" + "\n".join(lines) + "\n```")
    if shown:
        parts.append(_table(["argument or option", "default", "meaning"], map(_option, shown)))
    return parts


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _argument(parameter: Any) -> str:
    """``RUN``, ``[CONFIG]`` or ``FILES…``, as usage shows it."""
    name = parameter.name.upper() + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> list[str]:
    names = [_argument(parameter)] if _is_argument(parameter) else [*parameter.opts, *parameter.secondary_opts]
    default = parameter.default
    empty = default in (None, False, "", (), []) or not isinstance(default, _PLAIN)
    shown = "required" if parameter.required else "" if empty else f"`{default}`"
    return [", ".join(f"`{name}`" for name in names), shown, parameter.help or ""]


def contracts_page() -> str:
    """The hooks, and for each kind its base class with what a subclass implements."""
    parts = [
        "# Contracts",
        MADE,
        "What a plugin implements: the hooks of its module, and for each kind of component the class that it derives "
        "from. How to begin, and how to test it, is on the page [Plugins](plugins.md). Shapes: B sentences, K "
        "hypotheses, S source positions (S' as an encoder leaves them), T target positions, V tokens, H hidden size.",
        "## Hooks",
    ]
    for name, hook in vars(hookspecs).items():
        if hasattr(hook, f"{hookspecs.PROJECT}_spec"):
            parts += [_signature(name, hook), _markdown(inspect.getdoc(hook) or "")]
    for kind in KINDS:
        parts += _contract(getattr(seq2seq_kit, kind.title()))
    return "\n\n".join(part for part in parts if part) + "\n"


def _contract(base: type) -> list[str]:
    """The section of one kind: its attributes, what must be implemented, and what can be."""
    parts = [f"## {base.__name__}", _markdown(inspect.getdoc(base) or "")]
    described = find_class(base)
    fields = [[f"`{f.name}`", f"`{f.type}`", f.default and f"`{f.default}`", f.doc] for f in described.fields]
    if fields:
        parts.append(_table(["attribute", "type", "default", "meaning"], fields))
    methods = [(name, f) for name, f in vars(base).items() if _is_method(name, f)]
    abstract: frozenset[str] = getattr(base, "__abstractmethods__", frozenset())
    for title, wanted in (("To implement", True), ("With a default", False)):
        chosen = [(name, f) for name, f in methods if (name in abstract) is wanted]
        parts += [f"**{title}**"] * bool(chosen)
        for name, function in chosen:
            plain = function.fget if isinstance(function, property) else function
            parts += [_signature(name, plain), _markdown(inspect.getdoc(function) or "")]
    return parts


def _is_method(name: str, value: Any) -> bool:
    is_function = inspect.isfunction(value) or isinstance(value, property)
    return is_function and (not name.startswith("_") or name == "__call__")


def _signature(name: str, function: Any) -> str:
    """As it is written: annotations are text that is not evaluated yet."""
    signature = inspect.signature(function)
    written = []
    for p in signature.parameters.values():
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        annotation = "" if p.annotation is p.empty else f": {p.annotation}"
        default = "" if p.default is p.empty else f" = {p.default!r}"
        written.append(f"{stars}{p.name}{annotation}{default}")
    returned = signature.return_annotation
    after = "" if returned is signature.empty else f" -> {returned}"
    return f"```python\n{name}({', '.join(written)}){after}\n```"


def _markdown(docstring: str) -> str:
    """A docstring's reStructuredText as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda match: f"`{match[1].rpartition('.')[2]}`", docstring).replace("``", "`")
    text = re.sub(r"::\n\n((?:    .*\n?|\n)+)", _code, text)
    text = re.sub(r"^(Args|Returns|Raises):", r"*\1:*", text, flags=re.MULTILINE)
    return re.sub(r"^    (\w[\w, ]*): ", r"- `\1`: ", text, flags=re.MULTILINE).strip()


def _code(match: re.Match[str]) -> str:
    return f":\n\n```python\n{textwrap.dedent(match[1]).strip()}\n```\n"


def _table(header: list[str], rows: Any) -> str:
    lines = [header, ["---"] * len(header), *([_cell(_markdown(cell or "")) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"commands.md": commands_page, "contracts.md": contracts_page}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
