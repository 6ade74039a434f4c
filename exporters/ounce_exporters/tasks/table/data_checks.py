"""What is found wrong before anything that takes seconds is imported."""

import re

from ounce_schemas.errors import DataError
from ounce_schemas.names import NAME_RULE, TASK_NAME_PATTERN

from ounce_exporters.tasks.table.settings import TableSettings


def check_data(settings: TableSettings) -> None:
    """Refuse options of the data that mean nothing.

    Raises:
        DataError: names the option.
    """
    _ = settings.table
    if settings.task is not None:
        check_task_name(settings.task)


def check_files(settings: TableSettings) -> None:
    """Refuse data that can't be looked at.

    Raises:
        DataError: names the path.
    """
    for path in (settings.data, settings.test):
        try:
            if path is not None:
                path.stat()
        except OSError as e:
            raise DataError(f"{path}: can't be read: {e.strerror or e}") from e


def check_task_name(name: str) -> None:
    """Refuse what no task can be called.

    Raises:
        DataError: says what names are made of.
    """
    if re.fullmatch(TASK_NAME_PATTERN, name) is None:
        raise DataError(f"task name {name!r}: {NAME_RULE} (--task NAME)")
