"""``s2s train``: from a configuration file to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_kit.console import is_first_process
from seq2seq_kit.errors import UserError

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Summary


def add_to(cli: typer.Typer) -> None:
    """Add the command ``train``."""
    cli.command("train")(train)


def train(
    config: Annotated[Path | None, typer.Argument(help="The YAML file; none with --resume.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. training.max_steps=100; several allowed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder, new or empty; default: runs/CONFIG, then runs/CONFIG-2, …")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue this run folder from its last saved state.")] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="Start with the best weights and the tokenizers of this run folder.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show configuration, parameters, memory and first batch; train nothing.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="Threads of this process.", min=1)] = None,
) -> None:
    """Train a model, or continue training one.

    Ctrl-C saves the state and says how to continue; a second Ctrl-C stops at once.

    Examples:

    s2s train config.yaml --out runs/first --set training.max_minutes=5

    s2s train --resume runs/first --set training.max_minutes=10

    s2s train other.yaml --from runs/first

    torchrun --nproc-per-node 4 -m seq2seq_kit train config.yaml --device cuda
    """
    if (config is None) == (resume is None):
        raise UserError("give a configuration file, or --resume with a run folder (and not both)")
    if resume is not None and out is not None:
        raise UserError("--resume continues in its own folder; leave --out away")
    if resume is not None and start is not None:
        raise UserError("--resume continues with the run's own weights; leave --from away")
    if resume is not None and dry_run:
        raise UserError("--dry-run shows what a new training would be; leave --resume away")

    from seq2seq_kit.run_config import load_config

    loaded = None if config is None else load_config(config, overrides)  # mistakes first: torch takes seconds to load
    import torch

    from seq2seq_kit.device import check_threads
    from seq2seq_kit.training import runs

    if threads is not None:
        torch.set_num_threads(check_threads(threads))
    if dry_run:
        from seq2seq_kit.cli.dry_run import print_dry_run
        from seq2seq_kit.training.dry_run import dry_run as look

        assert loaded is not None
        if is_first_process():
            print_dry_run(loaded, look(loaded, device=device, start=start))
        return
    if resume is not None:
        summary = runs.resume(resume, overrides or [], device=device)
    else:
        assert config is not None and loaded is not None
        summary = runs.train(loaded, out or _next_free(Path("runs") / config.stem), device=device, start=start)
    if is_first_process():
        _print(summary)


def _next_free(folder: Path) -> Path:
    """``folder``, or the first of ``folder-2``, ``folder-3``, … that does not exist."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def _print(summary: Summary) -> None:
    from rich.console import Console
    from rich.table import Table

    from seq2seq_kit.training.progress import clock

    table = Table(show_header=False, title=f"Training ended: {summary.reason}", title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("steps", f"{summary.steps:,} in {clock(summary.seconds)}")
    table.add_row("speed", f"{summary.tokens_per_second:,.0f} target tokens/s")
    table.add_row("parameters", f"{summary.parameters:,}")
    if summary.best_step is not None:
        table.add_row("best at step", f"{summary.best_step:,}")
        for name, value in summary.best_metrics.items():
            table.add_row(f"  {name}", f"{value:.4g}")
    for name in ("model.safetensors", "curves.png", "metrics.jsonl"):
        if (summary.run / name).exists():
            table.add_row(name.split(".")[0], str(summary.run / name))
    Console().print(table)
