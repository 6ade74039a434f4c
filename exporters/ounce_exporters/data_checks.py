"""What is found wrong before anything that takes seconds is imported."""

import os
import re
from errno import ENOENT

from ounce_schemas.errors import DataError
from ounce_schemas.topics import NAME_RULE, TASK_NAME_PATTERN

from ounce_exporters.train_settings import TableSettings


def check_data(settings: TableSettings) -> None:
    """Refuse options of the data that mean nothing, and data that are not there.

    Raises:
        DataError: names the option, or the path.
    """
    _ = settings.table
    if settings.task is not None:
        check_task_name(settings.task)
    for path in (settings.data, settings.test):
        if path is not None and not path.exists():
            raise DataError(f"{path}: can't be read: {os.strerror(ENOENT)}")


def check_task_name(name: str) -> None:
    """Refuse what no task can be called.

    Raises:
        DataError: says what names are made of.
    """
    if re.fullmatch(TASK_NAME_PATTERN, name) is None:
        raise DataError(f"task name {name!r}: {NAME_RULE} (--task NAME)")
