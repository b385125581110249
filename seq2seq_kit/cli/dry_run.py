"""``s2s train CONFIG --dry-run``: what a training would be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq_kit.run_config import RunConfig
    from seq2seq_kit.training.dry_run import DryRun, Parameter

SHOWN = 3
"""Examples of the first batch to print."""


def print_dry_run(config: RunConfig, found: DryRun) -> None:
    """The configuration as YAML, then tables of the parameters, the memory, the data's filters, and the first batch."""
    import yaml
    from rich.console import Console
    from rich.table import Table

    console = Console()
    print(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
    _print_parameters(found.parameters)
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
    positions = f"{examples} × ({source} + {target}) positions"
    how = f"measured at its peak, on the largest of {found.batches:,} batches: {positions}"
    table.add_row("gradients and activations", _megabytes(memory.update), how)
    console.print(table)
    if found.report.rows:
        console.print(found.report.table())
    print(f"The first batch has {len(found.first_batch)} examples:")
    for source_tokens, target_tokens in found.first_batch[:SHOWN]:
        print(f"  source  {_text(source_tokens)}\n  target  {_text(target_tokens)}\n")


def _print_parameters(parameters: Sequence[Parameter]) -> None:
    """Plain columns, so that no name is broken and all can be searched."""
    rows = [(p.name, " × ".join(map(str, p.shape)), f"{math.prod(p.shape):,}") for p in parameters]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for parameter, (name, shape, count) in zip(parameters, rows, strict=True):
        frozen = "" if parameter.learned else "  frozen"
        print(f"  {name:<{widths[0]}}  {shape:>{widths[1]}}  {count:>{widths[2]}}{frozen}")
    total, learned = (sum(math.prod(p.shape) for p in parameters if p.learned or every) for every in (True, False))
    print(f"{total:,} parameters, {learned:,} of them learned\n")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"


def _text(tokens: Sequence[str]) -> str:
    return " ".join(token if token.strip() else "␣" for token in tokens)
