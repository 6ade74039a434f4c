"""Understanding a table's columns: what can be sent as numbers, what as text, what not at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import DATE_PARTS, Cell, as_text
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted
from pandas.api.types import is_numeric_dtype

from ounce_exporters.tasks.table.categories import (
    MOST_TEXTS,
    LeftOutError,
    check_categories,
)
from ounce_exporters.tasks.table.clock_readings import are_scores, clock_inputs, is_clock
from ounce_exporters.tasks.table.dates import (
    are_days,
    epoch_unit,
    is_dates,
    read_dates,
    short_dates,
    why_no_dates,
)
from ounce_exporters.tasks.table.float32 import LARGEST, find_offset, to_float32
from ounce_exporters.tasks.table.identifiers import why_identifier
from ounce_exporters.tasks.table.names import check_inputs
from ounce_exporters.tasks.table.notices import Notices
from ounce_exporters.tasks.table.quantities import (
    Quantity,
    find_decimal,
    read_quantity,
)
from ounce_exporters.tasks.table.sentences import is_sentences

_CODE = re.compile(
    r"(?i)(^|[^a-z])((post|zip|postal|area|product|country)?code|id|kind|type|zip|plz|postleitzahl|"
    r"class|category|group)([^a-z]|$)"
)
_EXACT = 2.0**53
"""Above it double precision does not hold every whole number."""
_SHOWN = 3
_BLANK = r"\d['\u2019\u00a0\u202f ]\d"
_POWER = re.compile(r"\d+[eE]\d+")


@dataclass(frozen=True)
class InputColumn:
    """One value of an input tensor."""

    name: str
    cell: Cell
    values: NDArray[Any]
    """Of every row: float32, where a gap is NaN, or str, where a gap is empty."""

    @property
    def is_number(self) -> bool:
        """Whether it goes into the numeric tensor."""
        return self.cell.read not in ("text", "sentence")


@dataclass(frozen=True)
class Columns:
    """A table's inputs."""

    inputs: tuple[InputColumn, ...]
    notices: tuple[str, ...]
    """One line for each column that is left out, or not read plainly."""

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric inputs."""
        return tuple(column.name for column in self.inputs if column.is_number)

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the text inputs."""
        return tuple(column.name for column in self.inputs if not column.is_number)


def choose_columns(
    table: pd.DataFrame,
    target: str | None,
    kinds: Mapping[str, str] | None = None,
    decimal: str | None = None,
) -> Columns:
    """Make inputs of every column but the target, or leave it out with a reason.

    Args:
        table: columns of float64 or text.
        target: not an input; None where there is none.
        kinds: what the person says of columns: kind by name.
        decimal: decimal mark, where given.

    Raises:
        DataError: no column is left to predict from, or one can't be understood without a word.
    """
    kinds = kinds or {}
    names = [name for name in table.columns if name != target]
    if decimal is None:
        texts = (table[name] for name in names if not is_numeric_dtype(table[name]))
        decimal = find_decimal(texts)
    inputs: list[InputColumn] = []
    notices = Notices()
    for name in names:
        kind = kinds.get(name)
        if kind == "ignore":
            continue
        try:
            inputs += _read_column(table[name], kind, decimal, notices)
        except LeftOutError as e:
            notices.say(f"column {name!r} is left out: {e}")
    if not inputs:
        what = "learn from" if target is None else f"predict {target!r} from"
        details = "; ".join(notices.lines) or "the table has no other column"
        raise DataError(f"no column is left to {what}: {details}")
    check_inputs((input_.name, input_.cell.column) for input_ in inputs)
    return Columns(tuple(inputs), notices.lines)


def _read_column(
    column: pd.Series, kind: str | None, decimal: str | None, notices: Notices
) -> list[InputColumn]:
    _check_constant(column)
    if is_numeric_dtype(column) and (kind in ("category", "text") or are_days(column)):
        column = column.map(as_text)
    if is_numeric_dtype(column):
        return [
            _number(column, Quantity(column.to_numpy(np.float64), ".", None, {}), kind, notices)
        ]
    if kind in ("category", "text"):
        return [_read_text(column, kind, notices)]
    if kind is not None and kind.startswith("date"):
        return _date_parts(column, kind.partition(":")[2] or None, notices)
    if kind is None and is_clock(column):
        if are_scores(column):
            notices.say(
                f"column {column.name!r} is read as texts, such as scores: none of its second "
                f"numbers is below 10, as minutes are; times of day are --columns "
                f"'{column.name}=date:%H:%M'"
            )
            return [_read_text(column, kind, notices)]
        parts = clock_inputs(column, notices)
        if parts:
            return [InputColumn(name, cell, to_float32(values)) for name, cell, values in parts]
    if kind in (None, "date") and is_dates(column):
        found = _date_parts(column, None, notices)
        if found:
            return found
    if kind in (None, "number"):
        quantity = read_quantity(column, decimal, sure=kind == "number")
        if quantity is not None:
            return [_number(column, quantity, kind, notices)]
    if kind == "number":
        raise DataError(f"--columns {column.name}=number: it holds no number")
    return [_read_text(column, kind, notices)]


def _read_text(column: pd.Series, kind: str | None, notices: Notices) -> InputColumn:
    """Sentences, or else categories."""
    if kind != "text" and (kind is not None or not is_sentences(column)):
        return _text(column, kind, notices)
    if kind is None:
        notices.say(
            f"column {column.name!r} is text: models read its letters (--columns "
            f"'{column.name}=category' or =ignore otherwise)"
        )
    name = str(column.name)
    return InputColumn(name, Cell(column=name, read="sentence"), column.to_numpy(object))


def _check_constant(column: pd.Series) -> None:
    present = column.dropna() if is_numeric_dtype(column) else column[column != ""]
    distinct = present.nunique()
    if distinct == 0:
        raise LeftOutError("it is empty")
    if distinct == 1 and is_numeric_dtype(column) and abs(present.iloc[0]) > _EXACT:
        raise LeftOutError(f"its numbers, near {present.iloc[0]:.4g}, are too large to tell apart")
    if distinct == 1 and len(present) == len(column):
        raise LeftOutError(f"it is {as_text(present.iloc[0])} in every row")


def _number(
    column: pd.Series, quantity: Quantity, kind: str | None, notices: Notices
) -> InputColumn:
    name, values = str(column.name), quantity.values
    if kind is None and (why := why_identifier(name, values)) is not None:
        raise LeftOutError(f"{why}; keep it with --columns '{name}=number'")
    if quantity.odd:
        shown = ", ".join(
            f"{t!r} ({counted(n, 'row')})" for t, n in list(quantity.odd.items())[:_SHOWN]
        )
        more = f" and {len(quantity.odd) - _SHOWN} more" if len(quantity.odd) > _SHOWN else ""
        notices.say(f"column {name!r} is a number, and {shown}{more} count as gaps")
    if quantity.unit is not None:
        without = counted(quantity.n_bare, "row does", "rows do")
        bare = f", which {without} not have" if quantity.n_bare else ""
        notices.say(f"column {name!r} is a number with the unit {quantity.unit!r}{bare}")
    for mark in quantity.marks:
        notices.say_of(f"{mark!r} counts as a gap in the numbers", name)
    if quantity.decimal == ",":
        notices.say_of("a comma is the decimal mark of the numbers", name)
    if not quantity.is_plain and not is_numeric_dtype(column):
        group, between = ("point", r"\d\.\d") if quantity.decimal == "," else ("comma", r"\d,\d")
        if column.str.contains(between, regex=True).any():
            notices.say_of(f"a {group} stands between thousands of the numbers", name)
        if column.str.contains(_BLANK, regex=True).any():
            notices.say_of("a blank or an apostrophe stands between thousands of the numbers", name)
    beyond = int((np.abs(values[~np.isnan(values)]) > LARGEST).sum())
    if beyond:
        notices.say(
            f"column {name!r} holds {counted(beyond, 'value that is', 'values that are')} infinite "
            "or too large for float32: they count as gaps"
        )
    finite = values[np.isfinite(values)]
    whole = bool((finite == np.round(finite)).all())
    if kind is None and whole and _CODE.search(name) and 2 < len(np.unique(finite)) <= MOST_TEXTS:
        notices.say(
            f"column {name!r} is read as a number; if it is a code, say --columns '{name}=category'"
        )
    if kind is None and quantity.is_plain and _are_powers(column):
        notices.say(
            f"column {name!r} is read as numbers in scientific notation, such as "
            f"{column.iloc[0]!r}; if they are codes, say --columns '{name}=category'"
        )
    if kind is None and (unit := epoch_unit(name, finite)) is not None:
        notices.say(
            f"column {name!r} seems to count {unit} since 1970 and is read as a number: later rows "
            f"are beyond what models learn of it; leave it out with --without '{name}'"
        )
    offset = _offset(finite, name, notices)
    cell = Cell(
        column=name,
        read="number",
        decimal="," if quantity.decimal == "," else None,
        unit=quantity.unit,
        offset=offset,
    )
    shown_name = name if offset is None else f"{name} less {as_text(offset)}"
    return InputColumn(shown_name, cell, to_float32(values - (offset or 0.0)))


def _are_powers(column: pd.Series) -> bool:
    # The first few tell nearly always; then all are looked at.
    head = column.iloc[:_SHOWN].to_list()
    return all(map(_POWER.fullmatch, head)) and all(map(_POWER.fullmatch, column.to_list()))


def _offset(finite: NDArray[np.float64], name: str, notices: Notices) -> float | None:
    offset = find_offset(finite)
    if offset is None:
        return None
    if np.array_equal(finite.astype(np.float32).astype(np.float64), finite):
        return None  # every value is held as it is
    notices.say(
        f"column {name!r} becomes the input '{name} less {as_text(offset)}': float32 would blur "
        "its values; a device takes this much off before it sends one"
    )
    return offset


def _date_parts(column: pd.Series, date_format: str | None, notices: Notices) -> list[InputColumn]:
    name = str(column.name)
    dates = read_dates(column, date_format)
    if dates is None:
        if (why := why_no_dates(column)) is not None:
            raise LeftOutError(why)
        return []
    if not dates.parts:
        raise LeftOutError("all its dates have the same hour, weekday and month")
    if len(dates.zones) > 1:
        notices.say(
            f"column {name!r} has times of different zones ({', '.join(dates.zones[:_SHOWN])}): "
            "an hour is the one that the cell shows"
        )
    said = ", ".join(f"{name}.{part} ({DATE_PARTS[part]})" for part in dates.parts)
    notices.say(f"column {name!r} is a date: a device sends its parts as the inputs {said}")
    return [
        InputColumn(
            f"{name}.{part}",
            Cell(column=name, read=part, date_format=dates.date_format),
            to_float32(values),
        )
        for part, values in dates.parts.items()
    ]


def _text(column: pd.Series, kind: str | None, notices: Notices) -> InputColumn:
    name = str(column.name)
    if kind is None and (line := short_dates(column)) is not None:
        notices.say(line)
    check_categories(column, kind, notices)
    return InputColumn(name, Cell(column=name, read="text"), column.to_numpy(object))
