"""``s2s plugins list | show NAME | check DIST``: what is installed, how to configure it, and whether it is well made."""

from __future__ import annotations

import typer

def add_to(cli: typer.Typer) -> None:
    """Add the command group ``plugins``."""
    group = typer.Typer(help="List, describe and check plugins.", no_args_is_help=True, rich_markup_mode=None)
    @group.command("list")
    def f(): ...
    cli.add_typer(group, name="plugins")
