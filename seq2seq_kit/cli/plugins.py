"""``s2s plugins list | show NAME | check DIST | new NAME``: what is installed, how to configure it, whether it is well
made, and how to begin one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_kit.components import KINDS
from seq2seq_kit.errors import UserError
from seq2seq_kit.plugins import Plugins, Provided, load_plugins
from seq2seq_kit.registry import registry
from seq2seq_kit.source import ClassSource, find_class

if TYPE_CHECKING:
    from rich.console import Console

Kind = Annotated[str | None, typer.Option(help=f"Only one kind: {', '.join(KINDS)}.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(cli: typer.Typer) -> None:
    """Add the command group ``plugins``."""
    group = typer.Typer(help="List, describe, check and begin plugins.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_components)
    group.command("show")(show)
    group.command("check")(check)
    group.command("new")(new)
    cli.add_typer(group, name="plugins")


def list_components(kind: Kind = None, as_json: AsJson = False) -> None:
    """List every component there is, and the plugins that could not be loaded.

    Example: s2s plugins list --kind decoder
    """
    from rich.table import Table

    _check_kind(kind)
    plugins = load_plugins()
    provided = sorted(registry().provided(kind), key=lambda p: KINDS.index(p.component.kind))
    if as_json:
        broken = [{**vars(b.provider), "cause": b.cause} for b in plugins.broken]
        components = [_as_dict(p) for p in provided]
        print(
            json.dumps({"components": components, "broken": broken, "disabled": plugins.disabled}, ensure_ascii=False)
        )
        return
    table = Table("kind", "name", "provider", "version", "summary")
    for p in provided:
        provider = p.provider
        table.add_row(
            p.component.kind, registry().short_name(p), provider.distribution, provider.version, p.component.summary
        )
    console = _console()
    console.print(table)
    _report(plugins, console)


def show(
    name: Annotated[str, typer.Argument(help="A component's name, bare or qualified: lstm, seq2seq-kit/lstm.")],
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Describe components: where they come from, and every field of their configuration.

    Example: s2s plugins show lstm --kind decoder
    """
    _check_kind(kind)
    found = registry().find_all(name, kind)
    described = [(p, p.component.config and find_class(p.component.config)) for p in found]
    if as_json:
        records = [
            {**_as_dict(p), "fields": [vars(f) for f in config.fields] if config else []} for p, config in described
        ]
        print(json.dumps({"components": records}, ensure_ascii=False))
        return
    for p, config in described:
        _describe(p, config or None, _console())


def check(distribution: Annotated[str, typer.Argument(help="The name of an installed distribution.")]) -> None:
    """Check a plugin as far as that goes without importing its models; exit with 2 when something is wrong.

    Example: s2s plugins check seq2seq-kit-conv
    """
    from rich.table import Table
    from rich.text import Text

    from seq2seq_kit.plugin_check import check_plugin

    findings = check_plugin(distribution)
    table = Table("what", "verdict", "detail")
    styles = {"ok": "green", "note": "yellow", "FAILED": "red"}
    for finding in findings:
        table.add_row(Text(finding.what), Text(finding.verdict, styles[finding.verdict]), Text(finding.detail))
    _console().print(table)
    failed = sum(finding.verdict == "FAILED" for finding in findings)
    if failed:
        raise UserError(f"{distribution}: {failed} of {len(findings)} checks failed")


def new(
    name: Annotated[str, typer.Argument(help="The distribution's name: lower-case letters, digits and hyphens.")],
    kind: Annotated[str, typer.Option(help="What it provides: encoder, decoder, attention, task, tokenizer, …")],
    into: Annotated[Path, typer.Option(help="The folder in which its folder is made.")] = Path(),
) -> None:
    """Write a plugin to begin with: it installs, passes its own tests and trains as it stands.

    Example: s2s plugins new s2s-gated --kind attention
    """
    from seq2seq_kit.scaffold import new_plugin

    written = new_plugin(name, kind, into)
    folder = into / name
    console = _console()
    for path in written:
        console.print(path.relative_to(folder).as_posix(), markup=False)
    begin = f"src/{name.replace('-', '_')}/{kind}.py"
    console.print(f"These files are in {folder}. Begin with {begin}; then:", markup=False, soft_wrap=True)
    steps = f"cd {folder} && pip install -e '.[test]' && pytest && s2s train config.yaml --out runs/first"
    console.print(f"  {steps}", markup=False, soft_wrap=True)


def _check_kind(kind: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise UserError(f"--kind must be one of {', '.join(KINDS)}, got {kind!r}")


def _console() -> Console:
    """On a terminal as wide as that; elsewhere wide enough that no row is broken."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def _report(plugins: Plugins, console: Console) -> None:
    from rich.text import Text

    for broken in plugins.broken:
        console.print(Text(str(broken), "red"), soft_wrap=True)
    for name in plugins.disabled:
        console.print(Text(f"{name} is disabled by S2S_DISABLE_PLUGINS", "yellow"), soft_wrap=True)


def _as_dict(p: Provided) -> dict[str, Any]:
    component, provider = p.component, p.provider
    return {
        "kind": component.kind,
        "name": component.name,
        "qualified_name": p.qualified_name,
        "distribution": provider.distribution,
        "version": provider.version,
        "entry_point": provider.entry_point,
        "target": str(component.target),
        "config": component.config and str(component.config),
        "state_version": component.state_version,
        "verb": component.verb,
        "summary": component.summary,
    }


def _describe(p: Provided, config: ClassSource | None, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    component = p.component
    console.print(Text.assemble((f"{component.kind} {registry().short_name(p)}", "bold"), f"  {component.summary}"))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  provider", f"{p.provider} (entry point {p.provider.entry_point})")
    facts.add_row("  target", Text(str(component.target)))
    facts.add_row("  state version", str(component.state_version))
    if component.verb:
        facts.add_row("  verb", f"s2s {component.verb}")
    console.print(facts)
    fields = [field for field in config.fields if field.name != "name"] if config else []
    if not fields:
        console.print("  nothing to configure\n")
        return
    table = Table("field", "type", "default", "meaning")
    for field in fields:
        table.add_row(*map(Text, (field.name, field.type, field.default or "(required)", field.doc)))
    console.print(table)
    console.print()
