"""``s2s average RUN… -o OUT``: the mean of several checkpoints as a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq_kit.errors import UserError


def add_to(cli: typer.Typer) -> None:
    """Add the command ``average``."""
    cli.command("average")(average)


def average(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of the same model and tokenizers.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new run folder.")],
    best: Annotated[
        int | None,
        typer.Option(help="Average this many best checkpoints of each run (needs training.keep_best).", min=1),
    ] = None,
    last: Annotated[int | None, typer.Option(help="The same, of the kept checkpoints the last ones.", min=1)] = None,
) -> None:
    """Average the weights of checkpoints (Vaswani et al. 2017, section 6.1) into a run folder that decodes.

    Without --best and --last, the best weights of several runs are averaged.

    Examples:

    s2s average runs/first --best 5 -o runs/first-averaged

    s2s average runs/seed-1 runs/seed-2 -o runs/both
    """
    from rich.console import Console
    from rich.table import Table

    from seq2seq_kit.training import averaging

    if best is not None and last is not None:
        raise UserError("give --best or --last, not both")
    files = [file for run in runs for file in averaging.weight_files(run, best=best, last=last)]
    averaged = averaging.average(files, out)
    table = Table()
    table.add_column("weights", overflow="fold")
    table.add_column("step", justify="right")
    table.add_column("score")
    for facts in averaged:
        metric = facts.get("metric")  # an average of averages has none
        table.add_row(facts["file"], f"{facts['step']:,}", f"{metric} {facts['metrics'][metric]:.4g}" if metric else "")
    Console().print(table)
    print(f"The mean of these {len(averaged)} is in {out}")
