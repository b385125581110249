"""``s2s inspect RUN``: what a run folder holds. No torch is imported, and the run's plugins need not be here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from seq2seq_kit.inspection import Inspection, Provenance

_NOT_A_SCORE = ("kind", "epoch", "seconds", "best")
_SHOWN = 12
"""Special tokens to name: imported vocabularies may have hundreds."""


def add_to(cli: typer.Typer) -> None:
    """Add the command ``inspect``."""
    cli.command("inspect")(inspect)


def inspect(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    depth: Annotated[int, typer.Option(help="How deep to list the modules of the model.", min=1)] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a run is: its configuration, where each component came from and what of it is installed here, the
    data, the parameters by module, the vocabularies, the training, the files.

    The weights and tokenizer files are checked against their digests. What is damaged is told at the end, and the exit
    code is then 2.

    Example: s2s inspect runs/en-fr
    """
    from seq2seq_kit.errors import CheckpointError
    from seq2seq_kit.inspection import inspect_run

    found = inspect_run(run)
    if as_json:
        print(json.dumps(found.report(depth), ensure_ascii=False))
    else:
        _print(found, depth)
    if found.problems:
        raise CheckpointError("\n".join(found.problems))


def _print(found: Inspection, depth: int) -> None:
    import yaml
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    print(yaml.safe_dump(found.manifest.config, sort_keys=False, allow_unicode=True))
    _print_components(found, console)
    _print_modules(found, depth, console)
    _print_vocabularies(found)
    _print_data(found)
    _print_training(found, console)
    _print_files(found, console)


def _print_components(found: Inspection, console: Console) -> None:
    manifest = found.manifest
    print(f"{found.run}: written by seq2seq_kit {manifest.kit_version} with torch {manifest.torch_version}")
    table = _table("section", "kind", "name", "provider", "here")
    for one in found.components:
        saved = one.saved
        here = "missing" if one.installed is None else "same" if one.installed == saved.version else one.installed
        table.add_row(saved.path, saved.kind, saved.name, f"{saved.distribution} {saved.version}", here)
    console.print(table)
    for problem in dict.fromkeys(_problem(one) for one in found.components if one.problem):
        console.print(problem, style="yellow", soft_wrap=True)


def _problem(one: Provenance) -> str:
    """Of what is missing the distribution is named, once for all of its components."""
    saved = one.saved
    return f"{saved if one.installed else f'{saved.distribution} {saved.version}'} {one.problem}"


def _print_modules(found: Inspection, depth: int, console: Console) -> None:
    if not found.tensors:
        return
    total = sum(math.prod(tensor.shape) for tensor in found.tensors.values())
    print(f"{total:,} numbers in {len(found.tensors):,} tensors of {found.weights_file}{_step(found.weights_facts)}")
    table = _table("module", "dtype")
    for heading in ("numbers", "share"):
        table.add_column(heading, justify="right")
    for module in found.modules(depth):
        share = f"{100 * module.numbers / max(1, total):.1f}%"
        indented = "  " * module.name.count(".") + module.name
        table.add_row(indented, ", ".join(module.dtypes), f"{module.numbers:,}", share)
    console.print(table)


def _print_vocabularies(found: Inspection) -> None:
    readable = {one.file for one in found.vocabularies}
    damaged = " ".join(found.problems)
    for name in found.manifest.files:
        if name not in readable and str(found.run / name) not in damaged:
            print(f"{name}: in a form of its task's or tokenizer's own")
    for one in found.vocabularies:
        print(f"{one.file}: {one.model}, {one.size:,} pieces")
        for name, pieces in (("special", one.special), ("first", one.first), ("last", one.last)):
            if pieces:
                print(f"  {name:<7}  {_pieces(pieces)}")
    print()


def _print_data(found: Inspection) -> None:
    data = found.manifest.config.get("data", {})
    if "imported" in found.weights_facts:  # what its configuration says of data is for fine-tuning
        print(f"imported from {found.weights_facts['imported'].get('from')}")
        return
    for name in ("train", "dev"):
        if data.get(name):
            print(f"{name} data: {_sources(data[name])}")
    if "averaged" in found.weights_facts:
        print(f"the mean of {_listed([one.get('file') for one in found.weights_facts['averaged']])}")
    if found.training:
        last = found.training[-1]
        seen = f", {last['target_tokens']:,} target tokens" if "target_tokens" in last else ""
        print(f"trained for {last['step']:,} steps, {last.get('seconds', 0) / 60:,.1f} minutes{seen}")


def _print_training(found: Inspection, console: Console) -> None:
    """The curves of the loss and of the metric that chose the best weights, and two validations."""
    from seq2seq_kit.cli.plot import plot

    losses = (_points(found.training, "loss"), _points(found.validations, "loss"))
    charts = [("loss: of training, ● of validations", *losses)]
    metric = found.weights_facts.get("metric")
    if metric and metric != "loss":
        charts.append((f"{metric} of validations", _points(found.validations, metric), []))
    for title, line, points in charts:
        rows = plot(line, points)
        if rows:
            console.print("\n".join(["", title, *rows]), soft_wrap=True)
    for name, record in (("best", found.best), ("last", found.last)):
        if record is not None:
            numbers = {key: value for key, value in record.items() if key not in (*_NOT_A_SCORE, "step")}
            shown = ", ".join(f"{key} {_number(value)}" for key, value in numbers.items())
            print(f"{name} validation, step {record['step']:,}: {shown}")


def _print_files(found: Inspection, console: Console) -> None:
    print()
    table = _table("file")
    table.add_column("MB", justify="right")
    for name, size in found.files.items():
        table.add_row(name, f"{size / 1e6:,.2f}")
    console.print(table)


def _table(*columns: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _points(records: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(float(r["step"]), float(r[name])) for r in records if isinstance(r.get(name), (int, float))]


def _step(facts: dict[str, Any]) -> str:
    return f", of step {facts['step']:,}" if isinstance(facts.get("step"), int) else ""


def _sources(value: Any) -> str:
    """Paths, or of each of several sources its paths and weight."""
    if isinstance(value, dict):
        weight = "" if value.get("weight") is None else f" (weight {value['weight']})"
        return _listed(value.get("paths", [])) + weight
    return ", ".join(map(_sources, value)) if isinstance(value, list) else str(value)


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pieces(pieces: list[str]) -> str:
    shown = [piece if piece.strip() else "␣" for piece in pieces[:_SHOWN]]
    return " ".join([*shown, *(["…"] if len(pieces) > _SHOWN else [])])
