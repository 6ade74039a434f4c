"""Pytest plug-in: each test's result is written as soon as it is known (`-p` with its name).

So a run that is cut off leaves what it has: a line for each test in `results/gpu-tests.txt`, and
behind one that failed, or was skipped, why.
"""

import os
from pathlib import Path

import pytest

PLACE = "OUNCE_TEST_RESULTS"
"""Variable that names the file."""
_DEFAULT = Path("results/gpu-tests.txt")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin the file anew."""
    if _is_first(session.config):
        _path().parent.mkdir(parents=True, exist_ok=True)
        _path().write_text("", encoding="utf-8")
        session.config.pluginmanager.register(_Writing())


class _Writing:
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        with _path().open("a", encoding="utf-8") as file:
            file.write(f"{report.outcome} {report.duration:.1f} s {report.nodeid}\n")
            if report.outcome != "passed":
                file.write(f"{_why(report)}\n\n")


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # of a skip: file, line and reason
        return str(report.longrepr[2])
    return "\n".join([report.longreprtext, *(text for _, text in report.sections)])


def _path() -> Path:
    return Path(os.environ.get(PLACE, _DEFAULT))


def _is_first(config: pytest.Config) -> bool:
    """Not one of the processes that run the tests for another one."""
    return not hasattr(config, "workerinput")
