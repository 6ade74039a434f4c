"""The ladder that a model joins: one that is there, or one of a table that has none yet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ounce_schemas.documents import TASK_FILE
from ounce_schemas.errors import DataError

from ounce_exporters.own.splits import Judges, Rows, no_items, read_judges

_SEED = 0
"""Of the split, where the task is made of a table."""


def find_ladder(
    models: Path, task: str, rows: Rows | None, notice: Callable[[str], None]
) -> Judges:
    """What judges the model that joins.

    Args:
        models: the folder of all tasks.
        task: whose ladder it is.
        rows: they judge a ladder that is there; otherwise the task is made of them.
        notice: told one line about everything that is assumed.

    Raises:
        DataError: there is neither, or the table can't be used.
        ArtifactError: the ladder that is there can't be read.
    """
    folder = models / task
    is_there = (folder / TASK_FILE).is_file()
    if rows is None:
        if not is_there:
            raise DataError(
                f"{folder} holds no ladder: train one, or give --data FILE --target COLUMN to make "
                "the task of a table"
            )
        return read_judges(folder)
    # Imported here: a task that ships needs neither pandas nor pyarrow.
    if is_there:
        from ounce_exporters.own.judging import judges_of_file

        judges, lines = judges_of_file(read_judges(folder), rows)
        for line in lines:
            notice(line)
        return judges
    from ounce_exporters.tasks.table.options import TableOptions
    from ounce_exporters.tasks.table.task import load

    data = load(rows.path, rows.target, task, TableOptions(by=rows.by), _SEED, notice)
    # The model has learned elsewhere: what these rows miss says nothing of its rows.
    inputs = tuple(tensor.as_asked for tensor in data.spec.inputs)
    spec = data.spec.model_copy(update={"inputs": inputs})
    return Judges(replace(data, spec=spec, train=no_items(data.validation), folds=None), _SEED, ())
