"""What became of the training examples: how many were read, and how many each filter left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from seq2seq_kit.interfaces import Example

_SHOWN = 60
"""Characters of an example that the table shows of each side."""


@dataclass
class Row:
    """What one filter left out."""

    name: str
    count: int = 0
    example: str = ""  # the first one


@dataclass
class Report:
    """What became of the training examples."""

    read: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """How many examples are not in the corpus."""
        return sum(row.count for row in self.rows)

    def take(self, row: int, example: Example) -> None:
        """Count an example that the filter of that row leaves out."""
        if not self.rows[row].count:
            self.rows[row].example = f"{example.id}: {_short(example.source)} → {_short(example.target or '')}"
        self.rows[row].count += 1

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for :meth:`from_dict`."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Report:
        """What :meth:`as_dict` gave."""
        return Report(values["read"], [Row(**row) for row in values["rows"]])

    def table(self) -> Table:
        """A line for each filter, in order, with the first example that it left out."""
        title = f"{self.read:,} training examples read, {self.read - self.left_out:,} kept"
        table = Table(title=title, title_justify="left")
        table.add_column("left out by")
        table.add_column("examples", justify="right")
        table.add_column("share", justify="right")
        table.add_column("the first one")
        for row in self.rows:
            share = row.count / max(self.read, 1)
            table.add_row(row.name, f"{row.count:,}", f"{share:.2%}", Text(row.example, style="dim"))
        return table


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
