"""Checks that are run in turn; what would only show an earlier fault again waits until that one is mended."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.testing.report import ContractError, Fault, Finding, NotChecked, Report


@dataclass(frozen=True)
class Check:
    """One promise of a contract.

    Args:
        run: raises a :class:`Fault` or a :class:`NotChecked`.
        needs: checks whose faults would only show again in this one.
    """

    name: str
    promise: str
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()


def refuse_unknown(skip: Collection[str], checks: Sequence[Check]) -> None:
    """Raise a :class:`UserError` for a name that is no check's."""
    names = [check.name for check in checks]
    unknown = sorted(set(skip).difference(names))
    if unknown:
        raise UserError(f"there is no check {unknown[0]!r} to skip; there are {', '.join(names)}")


def run_checks(subject: str, checks: Sequence[Check], probe: object, skip: Collection[str]) -> Report:
    """What ``checks`` find, each after those before it; raises :class:`ContractError` where there is a fault.

    Random numbers are those of a fixed seed, and the caller's generator stays as it is; nothing is differentiated
    unless a check asks for it.
    """
    findings: list[Finding] = []
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for check in checks:
            findings.append(run_check(check, probe, findings, skip))
    report = Report(subject, tuple(findings))
    if report.faults:
        raise ContractError(report)
    return report


def run_check(check: Check, probe: object, findings: Sequence[Finding], skip: Collection[str]) -> Finding:
    """What ``check`` finds, after ``findings`` of the checks before it."""
    missing = [finding.check for finding in findings if finding.check in check.needs and finding.broken]
    if missing:
        return Finding(check.name, "not checked", f"waits for {', '.join(missing)}", broken=True)
    if check.name in skip:
        return Finding(check.name, "not checked", "left out")
    try:
        check.run(probe)
    except Fault as fault:
        return Finding(check.name, "FAILED", str(fault), broken=True)
    except NotChecked as reason:
        return Finding(check.name, "not checked", str(reason))
    except ImportError:  # of the environment, not of what is checked
        raise
    except Exception as error:
        return Finding(check.name, "FAILED", f"{_describe(error)}; what is right: {check.promise}", broken=True)
    return Finding(check.name, "ok", check.promise)


def _describe(error: Exception) -> str:
    """An exception, and the last line of the checked component's that it came through."""
    ours, theirs = Path(__file__).parent, Path(torch.__file__).parent
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if not {ours, theirs} & {*Path(frame.filename).parents}]
    where = f" in {places[-1].name} ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}{where}: {lines[0]}"
