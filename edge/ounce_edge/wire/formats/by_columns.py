"""Tables that are written column by column, as data frames and time series are."""

from collections.abc import Mapping
from typing import Any

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.content import check_n_rows

_QUIX = ("NumericValues", "StringValues")


def rows_of(
    document: Mapping[str, Any], columns: ColumnReader, max_rows: int
) -> list[dict[str, Any]] | None:
    """The rows of a table; None where a document is none.

    Three writings are read: a list for each column, Pandas' `split` (`columns` and `data`), and
    Quix Streams' time series (`NumericValues` and `StringValues`).

    Args:
        document: a JSON object.
        columns: of the task.
        max_rows: that one message may hold.

    Raises:
        InvalidMessageError: there are more.
    """
    if not columns.are_named:
        return None
    names, rows = document.get("columns"), document.get("data")
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
    if not own or not all(isinstance(document[name], list) for name in own):
        return None
    sizes = {len(document[name]) for name in own}
    if len(sizes) > 1:
        return None
    check_n_rows(sizes.pop(), max_rows)
    values = zip(*(document[name] for name in own), strict=True)
    return [dict(zip(own, row, strict=True)) for row in values]


def _are_texts(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)
