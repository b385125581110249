"""``s2s train CONFIG --dry-run``: what a training would be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq_kit.run_config import RunConfig
    from seq2seq_kit.training.dry_run import DryRun

SHOWN = 3
"""Examples of the first batch to print."""


def print_dry_run(config: RunConfig, found: DryRun) -> None:
    """The configuration as YAML, then tables of the parameters, the memory, the data's filters, and the first batch."""
    import yaml
    from rich.console import Console
    from rich.table import Table

    console = Console()
    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
    learned = sum(math.prod(p.shape) for p in found.parameters if p.learned)
    total = sum(math.prod(p.shape) for p in found.parameters)
    table = Table(title=f"{total:,} parameters, {learned:,} of them learned", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("shape")
    table.add_column("numbers", justify="right")
    table.add_column("learned")
    for parameter in found.parameters:
        shape = " × ".join(map(str, parameter.shape))
        table.add_row(parameter.name, shape, f"{math.prod(parameter.shape):,}", "yes" if parameter.learned else "no")
    console.print(table)
    memory = found.memory
    examples, source, target = memory.batch
    table = Table(title=f"{_megabytes(memory.total)} MB of memory", title_justify="left")
    table.add_column("for")
    table.add_column("MB", justify="right")
    table.add_column("how known", style="dim")
    table.add_row("weights", _megabytes(memory.weights), "counted")
    if memory.shadow:
        table.add_row("their copy for ema_decay or lora", _megabytes(memory.shadow), "counted")
    table.add_row("optimizer", _megabytes(memory.optimizer), "counted after one update")
    how = f"measured at its peak, on the largest batch: {examples} × ({source} + {target}) positions"
    table.add_row("gradients and activations", _megabytes(memory.update), how)
    console.print(table)
    if found.report.rows:
        console.print(found.report.table())
    print(f"The first of {found.batches:,} batches has {len(found.first_batch)} examples:")
    for source_tokens, target_tokens in found.first_batch[:SHOWN]:
        print(f"  source  {_text(source_tokens)}\n  target  {_text(target_tokens)}\n")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"


def _text(tokens: Sequence[str]) -> str:
    return " ".join(token if token.strip() else "␣" for token in tokens)
