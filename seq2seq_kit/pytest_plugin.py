"""``pytest --s2s NAME``: the checks of a component, or of all components of a distribution, each as a test.

It does nothing unless that option is given, and imports nothing of weight before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from seq2seq_kit.testing.check_component import ComponentChecks


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("seq2seq_kit", "plugins of seq2seq_kit")
    group.addoption(
        "--s2s",
        action="append",
        metavar="NAME",
        default=[],
        help="run the checks of a component or a distribution, and no other tests; several allowed",
    )
    group.addoption(
        "--s2s-set",
        action="append",
        metavar="FIELD=VALUE",
        default=[],
        help="an option of the components under check, in place of its default; several allowed",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> bool | None:
    """In place of files, the checks."""
    names = session.config.getoption("--s2s")
    if not names:
        return None
    from seq2seq_kit.errors import UserError
    from seq2seq_kit.testing.check_component import component_checks

    try:
        checks = [one for name in names for one in component_checks(name, session.config.getoption("--s2s-set"))]
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    named = [(f"{one.subject}: {check}", one, check) for one in checks for check in one.names]
    session.items = [
        CheckItem.from_parent(session, name=name, nodeid=name, checks=one, check=check) for name, one, check in named
    ]
    collected: list[pytest.Item | pytest.Collector] = [*session.items]
    report = pytest.CollectReport(nodeid="", outcome="passed", longrepr=None, result=collected)
    session.config.hook.pytest_collectreport(report=report)  # for the count that is shown
    session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=session.items)
    session.config.hook.pytest_collection_finish(session=session)
    session.testscollected = len(session.items)
    return True


class CheckItem(pytest.Item):
    """One check of one component."""

    def __init__(self, *, checks: ComponentChecks, check: str, **more: Any) -> None:
        super().__init__(**more)
        self.checks, self.check = checks, check

    def runtest(self) -> None:
        finding = self.checks.report[self.check]
        if finding.verdict == "not checked":
            pytest.skip(finding.detail)
        if finding.verdict == "FAILED":
            raise CheckFailed(finding.detail)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from seq2seq_kit.errors import UserError

        if isinstance(excinfo.value, CheckFailed | UserError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, None, str]:
        return self.path, None, self.name


class CheckFailed(Exception):
    """A check found a fault."""
