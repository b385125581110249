"""The one form of a result: a JSON file a benchmark, and the tables of ``RESULTS.md`` rendered from those files."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "results"
TABLES = HERE / "RESULTS.md"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Row(_Part):
    """One system in one case."""

    case: str
    system: str
    unit: str
    samples: list[float] = Field(min_length=1)
    median: float
    shares: dict[str, float] = {}
    """Of the time, the share spent in named parts (medians), e.g. ``{"step": 0.95}``."""


class Ratio(_Part):
    """Two systems compared in one case: above 1, ours is better."""

    case: str
    ours: str
    theirs: str
    ratio: float


class Result(_Part):
    """The answer to one benchmark's question."""

    name: str
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    machine: str
    versions: dict[str, str]
    settings: dict[str, Any]
    rows: list[Row] = Field(min_length=1)
    ratios: list[Ratio] = []


def ratio(rows: list[Row], case: str, ours: str, theirs: str) -> Ratio:
    """The median of the rounds' ratios: what was measured in one round was measured at one time, on a like machine."""
    samples = {row.system: row.samples for row in rows if row.case == case}
    rounds = [a / b for a, b in zip(samples[ours], samples[theirs], strict=True)]
    return Ratio(case=case, ours=ours, theirs=theirs, ratio=round(median(rounds), 3))


def equal_rows(sentences: dict[str, int], equal: dict[str, int]) -> list[Row]:
    """Where outputs are compared with a peer's: of the ``sentences`` of each case, the percentage that is ``equal``."""
    rows = []
    for case, count in sorted(sentences.items()):
        share = round(100 * equal.get(case, 0) / count, 2)
        rows.append(Row(case=case, system="kit", unit="% equal", samples=[share], median=share))
    return rows


def listed(counts: dict[str, int], order: Callable[[tuple[str, int]], Any] | None = None) -> str:
    """Names and counts in one line, by name if no ``order`` is given."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=order))


def machine() -> str:
    """This machine in words."""
    named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cpu = named[1] if named else platform.machine()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def today() -> str:
    """The date in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def write(result: Result, folder: Path = RESULTS) -> Path:
    """Write ``folder/NAME.json``."""
    path = folder / f"{result.name}.json"
    path.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Result:
    """Read and validate a result."""
    return Result.model_validate_json(path.read_text(encoding="utf-8"))


def render_all(folder: Path = RESULTS, tables: Path = TABLES) -> None:
    """Write the tables of every result in ``folder``."""
    parts = ["# Results\n\nRendered from `results/*.json` by `python -m benchmarks render`; do not edit.\n"]
    parts += [render(read(path)) for path in sorted(folder.glob("*.json"))]
    tables.write_text("\n".join(parts), encoding="utf-8")


def render(result: Result) -> str:
    """One result in Markdown."""
    lines = [f"## {result.name}", "", f"{result.date}, {result.machine}.", ""]
    parts = sorted({name for row in result.rows for name in row.shares})
    header = ["case", "system", "unit", "median", "samples", *(f"in {name}" for name in parts)]
    lines += _table(header, [_cells(row, parts) for row in result.rows])
    if result.ratios:
        compared = [[r.case, r.ours, r.theirs, f"**{r.ratio:.2f}**"] for r in result.ratios]
        lines += ["", *_table(["case", "ours", "theirs", "ratio"], compared)]
    lines += ["", *(f"- {name}: {value}" for name, value in result.settings.items())]
    lines += [f"- versions: {', '.join(f'{name} {version}' for name, version in result.versions.items())}", ""]
    return "\n".join(lines)


def _cells(row: Row, parts: list[str]) -> list[str]:
    low, high, count = min(row.samples), max(row.samples), len(row.samples)
    spread = "1" if count == 1 else f"{count}: {low:,.1f} to {high:,.1f}"
    shares = [f"{row.shares[name]:.1%}" if name in row.shares else "" for name in parts]
    return [row.case, row.system, row.unit, f"{row.median:,.1f}", spread, *shares]


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows]]
