"""What a conformance check found, as something to print and something to raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seq2seq_kit.errors import UserError


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        check: its name.
        verdict: ``not checked`` where it could not be, or where an earlier fault would only show again.
        detail: for a fault what is wrong, where, and what would be right; otherwise what was checked, or why not.
        broken: whether checks that need this one have to wait.
    """

    check: str
    verdict: Literal["ok", "not checked", "FAILED"]
    detail: str
    broken: bool = False

    def __str__(self) -> str:
        return f"  {self.verdict}  {self.check}: {self.detail}"


@dataclass(frozen=True)
class Report:
    """All that was found in one component."""

    subject: str
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.findings if finding.verdict == "FAILED"]

    def __getitem__(self, check: str) -> Finding:
        """The finding of a check, by its name."""
        return next(finding for finding in self.findings if finding.check == check)

    def __str__(self) -> str:
        return "\n".join([self.subject, *map(str, self.findings)])


class ContractError(UserError, AssertionError):
    """A component breaks its contract; the message names each fault. As an ``AssertionError`` it fails a test.

    Args:
        report: all findings.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        shown = [finding for finding in report.findings if finding.verdict != "ok"]
        super().__init__("\n".join([f"{report.subject} breaks its contract", *map(str, shown)]))


class Fault(Exception):
    """Raised by a check that fails: what is wrong, where, and what would be right."""


class NotChecked(Exception):
    """Raised by a check that cannot tell, with the reason."""
