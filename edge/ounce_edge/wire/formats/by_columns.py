"""Tables that are written column by column, as data frames and time series are."""

from collections.abc import Mapping
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.wording import counted

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.content import check_n_rows, n_values

_QUIX = ("NumericValues", "StringValues")


def seldon_rows(document: Mapping[str, Any]) -> list[Any] | None:
    """The rows of Seldon's `tensor`, which is flat and has a shape; None where there is none."""
    tensor = document.get("tensor")
    shape, values = (tensor.get("shape"), tensor.get("values")) if type(tensor) is dict else (0, 0)
    if not isinstance(shape, list) or not isinstance(values, list):
        return None
    n = n_values(shape)
    if len(shape) < 2 or not n or n != len(values):
        raise InvalidMessageError(
            Reason.WRONG_SHAPE,
            f"tensor has {counted(len(values), 'value')} and shape {str(shape)[:80]}; send rows "
            "and columns",
        )
    n_each = n // shape[0]
    return [values[start : start + n_each] for start in range(0, n, n_each)]


def rows_of(
    document: Mapping[str, Any], columns: ColumnReader, max_rows: int
) -> list[dict[str, Any]] | None:
    """The rows of a table; None where a document is none.

    Four writings are read: a list for each column, Pandas' `columns` (for each column an object by
    row numbers) and `split` (`columns` and `data`; Seldon says `names` and `ndarray`), and Quix
    Streams' time series (`NumericValues` and `StringValues`).

    Args:
        document: a JSON object.
        columns: of the task.
        max_rows: that one message may hold.

    Raises:
        InvalidMessageError: there are more.
    """
    if not columns.are_named:
        return None
    names = document.get("columns", document.get("names"))
    rows = document.get("data", document.get("ndarray"))
    if isinstance(names, list) and isinstance(rows, list) and _are_texts(names):
        if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return None
        check_n_rows(len(rows), max_rows)
        return [dict(zip(names, row, strict=True)) for row in rows]
    series = [found for name in _QUIX if isinstance(found := document.get(name), dict)]
    if series:
        return _transposed({k: v for part in series for k, v in part.items()}, columns, max_rows)
    return _transposed(document, columns, max_rows)


def _transposed(
    document: Mapping[str, Any], columns: ColumnReader, max_rows: int
) -> list[dict[str, Any]] | None:
    own = dict.fromkeys(key for key in columns.layout(document).keys if key is not None)
    lists = _lists([document[name] for name in own])
    if not lists or len({len(each) for each in lists}) > 1:
        return None
    check_n_rows(len(lists[0]), max_rows)
    return [dict(zip(own, row, strict=True)) for row in zip(*lists, strict=True)]


def _lists(values: list[Any]) -> list[list[Any]] | None:
    """The values of each column in the order of rows; None where they are not by rows."""
    if all(isinstance(value, list) for value in values):
        return values
    if not all(isinstance(value, dict) and value for value in values):
        return None
    numbers = [*values[0]]
    if not all(number.isdigit() for number in numbers) or any([*v] != numbers for v in values):
        return None
    return [[*value.values()] for value in values]


def _are_texts(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)
