"""The ladder that a model joins: one that is there, or one of a table that has none yet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ounce_schemas.documents import TASK_FILE
from ounce_schemas.errors import DataError

from ounce_exporters.own.splits import Judges, no_items, read_judges

_SEED = 0
"""Of the split, where the task is made of a table."""


def find_ladder(
    models: Path, task: str, table: tuple[Path, str] | None, notice: Callable[[str], None]
) -> Judges:
    """What judges the model that joins.

    Args:
        models: the folder of all tasks.
        task: whose ladder it is.
        table: a file and its target column. It judges a ladder that is there; otherwise the task
            is made of it.
        notice: told one line about everything that is assumed.

    Raises:
        DataError: there is neither, or the table can't be used.
        ArtifactError: the ladder that is there can't be read.
    """
    folder = models / task
    is_there = (folder / TASK_FILE).is_file()
    if table is None:
        if not is_there:
            raise DataError(
                f"{folder} holds no ladder: train one, or give --data FILE --target COLUMN to make "
                "the task of a table"
            )
        return read_judges(folder)
    path, target = table
    # Imported here: a task that ships needs neither pandas nor pyarrow.
    if is_there:
        from ounce_exporters.own.judging import judges_of_file

        judges, lines = judges_of_file(read_judges(folder), path, target)
        for line in lines:
            notice(line)
        return judges
    from ounce_exporters.tasks.table.options import TableOptions
    from ounce_exporters.tasks.table.task import load

    data = load(path, target, task, TableOptions(), _SEED, notice)
    return Judges(replace(data, train=no_items(data.validation), folds=None), _SEED, ())
