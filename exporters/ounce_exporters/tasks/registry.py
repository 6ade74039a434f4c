"""The tasks that ship: names and the modules that make them, imported only when used.

A task's module has `load` and `recipes`, as `TaskModule` says.
"""

import importlib
from typing import Protocol, cast

from ounce_schemas.errors import DataError

from ounce_exporters.ladder.recipe import Recipe, TaskData

TASKS = {
    "digits": "ounce_exporters.tasks.digits.task",
    "bearing": "ounce_exporters.tasks.bearing.task",
    "pump": "ounce_exporters.tasks.pump.task",
    "tickets": "ounce_exporters.tasks.tickets.task",
}


class TaskModule(Protocol):
    """What a task's module has."""

    def load(self, seed: int, *, quick: bool) -> TaskData:
        """The task and its data, split by seed; fewer items where it is to be quick."""
        ...

    def recipes(self, data: TaskData, *, quick: bool) -> list[Recipe]:
        """The models of its ladder; fewer and quicker ones where it is to be quick."""
        ...


def check_name(name: str) -> None:
    """Refuse a name that no task has.

    Raises:
        DataError: there is no task of this name.
    """
    if name not in TASKS:
        raise DataError(
            f"unknown task {name!r}: choose one of {', '.join(TASKS)}, or train on a table of "
            "your own with --data FILE --target COLUMN"
        )


def check_free(name: str) -> None:
    """Refuse a name for the task of a table that a task which ships has.

    Raises:
        DataError: there is such a task.
    """
    if name in TASKS:
        raise DataError(
            f"{name!r} is a task that ships: give the table's task another name with --task NAME"
        )


def find_task(name: str) -> TaskModule:
    """Import a task's module.

    Raises:
        DataError: there is no task of this name.
    """
    check_name(name)
    return cast(TaskModule, importlib.import_module(TASKS[name]))
