"""Which tasks a runtime's suite has: `tasks` of its class, or all."""

import pytest

from tests.contracts.runtimes.contract import TASKS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "task" in metafunc.fixturenames:
        tasks = getattr(metafunc.cls, "tasks", TASKS)
        metafunc.parametrize("task", tasks, ids=lambda task: task.name)
