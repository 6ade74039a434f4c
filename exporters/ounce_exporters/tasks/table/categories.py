"""Columns of categories: which are none, and what a person should know of the others."""

from collections.abc import Iterable, Sequence

import pandas as pd
from ounce_schemas.cells import parse_number
from ounce_schemas.wording import counted

from ounce_exporters.tasks.table.dates import why_no_dates
from ounce_exporters.tasks.table.notices import Notices
from ounce_exporters.tasks.table.quantities import (
    FEW_NUMBERS,
    find_evidence,
    find_units,
    plain_numbers,
)

MOST_ONE_HOT = 100
"""Distinct texts of a column that each become a feature; more are encoded by the target."""
MOST_TEXTS = 10_000
"""Distinct texts of a column, which all stand in the task's document."""
_LEAST_ROWS_PER_TEXT = 2
_SHOWN = 3
_MOST_UNITS = 4
_FEW_AMOUNTS = 20
"""Distinct texts of numbers with units that may well be categories."""


class LeftOutError(Exception):
    """Why a column is no input."""


def check_categories(column: pd.Series, kind: str | None, notices: Notices) -> None:
    """Say what a person should know of a column of categories.

    Args:
        column: texts; empty is a gap.
        kind: what the person says that it is.
        notices: told.

    Raises:
        LeftOutError: it is no input.
    """
    name = str(column.name)
    present = column[column != ""]
    distinct = present.nunique()
    if kind is None:
        many = distinct > MOST_ONE_HOT or distinct == len(column)
        if many and (why := why_no_dates(present)) is not None:
            raise LeftOutError(why)
        if distinct > MOST_ONE_HOT and _has_both_marks(present):
            raise LeftOutError(
                "some of its numbers have a decimal point and others a decimal comma: write them "
                "alike"
            )
        units = _units(present.unique().tolist())
        if distinct == len(column):
            raise LeftOutError(f"every row has another text, as an identifier has{units}")
        if distinct > MOST_ONE_HOT and len(present) < _LEAST_ROWS_PER_TEXT * distinct:
            raise LeftOutError(
                f"it has {counted(distinct, 'different text')} in "
                f"{counted(len(present), 'row')}{units}"
            )
        if units and distinct > _FEW_AMOUNTS:
            notices.say(f"column {name!r} is read as texts{units}")
        _say_numbers(name, present, notices)
    if distinct > MOST_TEXTS:
        raise LeftOutError(f"it has {distinct} different texts, more than {MOST_TEXTS}")
    if distinct <= MOST_ONE_HOT and (same := alike(present.unique().tolist())):
        notices.say(
            f"texts of column {name!r} differ in capital letters alone: {', '.join(same)}; each is "
            "one of its own"
        )
    if distinct == 1:
        notices.say(f"column {name!r} is {present.iloc[0]!r} or empty: a yes/no input")
    if distinct > MOST_ONE_HOT:
        notices.say(
            f"column {name!r} has {distinct} different texts: each counts by the target of its "
            "rows, rare and unknown ones by that of all rows"
        )


def _has_both_marks(texts: pd.Series) -> bool:
    evidence = find_evidence(texts)
    if not (evidence.comma and evidence.point):
        return False
    return all(any(parse_number(text, mark) is not None for mark in ",.") for text in texts)


def _units(texts: Sequence[str]) -> str:
    """What to say where texts are numbers with a few units; empty elsewhere. Codes such as 3B and
    4C have many."""
    units = find_units(texts)
    if not 2 <= len(units) <= _MOST_UNITS:
        return ""
    return (
        f"; its numbers have different units ({', '.join(map(repr, units))}): write them in one "
        "to have them read as numbers"
    )


def _say_numbers(name: str, present: pd.Series, notices: Notices) -> None:
    """Say where most texts are numbers, and the others are too many to be taken for gaps."""
    texts = present.unique().tolist()
    numbers = set(plain_numbers(texts))
    if not FEW_NUMBERS < len(numbers) < len(texts) or 2 * len(numbers) < len(texts):
        return
    others = [text for text in texts if text not in numbers]
    shown = ", ".join(map(repr, others[:_SHOWN])) + (" and others" if others[_SHOWN:] else "")
    notices.say(
        f"column {name!r} is read as texts, though {len(numbers)} of its {len(texts)} different "
        f"texts are numbers: with --columns '{name}=number' the others ({shown}) are gaps"
    )


def alike(texts: Iterable[str]) -> list[str]:
    """Texts that differ from another one in capital letters alone, as they are shown."""
    folded: dict[str, list[str]] = {}
    for text in texts:
        folded.setdefault(text.casefold(), []).append(repr(text))
    return [shown for same in folded.values() if len(same) > 1 for shown in same]
