"""Numbers as people write them: decimal commas, groups of thousands, units, odd texts for gaps."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import GAPS, parse_number
from ounce_schemas.errors import DataError

_PLAIN = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_NUMBER = r"[+\u2212-]?\d(?:[\d.,'\u2019\u00a0\u202f]| (?=\d{3}(?!\d)))*(?:[eE][+-]?\d+)?"
"""A blank stands between thousands, too, and behind it three digits."""
_BLANKS = re.compile(r"(?<=\d)['\u2019\u00a0\u202f ](?=\d{3})")
"""Between thousands; they tell nothing of the decimal mark."""
_PADDED = r"0\d{2,}|0\d{0,2}(['\u2019\u00a0\u202f ]\d{3})+"
"""A zero stands before the digits of a code, such as a postcode, not of a quantity."""
_WITH_UNIT = re.compile(
    rf"(?P<before>[$€£¥]?)\s*({_NUMBER})\s*(?P<after>[^\d\s.,;:+-][^\d]{{0,9}})?"
)
_SURELY_COMMA = re.compile(
    r"[+-]?(0,\d+|\d{4,},\d+|\d{1,3},(\d{1,2}|\d{4,})|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,})"
)
"""A comma is the decimal mark: behind it stand not three digits, or points divide thousands."""
_SURELY_POINT = re.compile(
    r"[+-]?(0?\.\d+|\d{4,}\.\d+|\d{1,3}\.(\d{1,2}|\d{4,})|\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,})"
)
_ONE_POINT = re.compile(r"[+-]?\d*\.\d+")
_GROUP = re.compile(r"[+-]?\d{1,3},\d{3}")
"""One group: 1,234 is a thousand and more, or one and a bit."""
_SAMPLE = 20_000
_ODD_SHARE = 0.1
_CODE = re.compile(r"[A-Za-z]{1,3}[ -]?\d+")
"""Such as c168 beside 1014: then the numbers are codes, too."""
FEW_NUMBERS = 20
"""A column of fewer distinct numbers beside texts may be one of classes: 0, 1, 2, 3+."""


@dataclass(frozen=True)
class Quantity:
    """A column of numbers."""

    values: NDArray[np.float64]
    """Array of shape (n_rows,); a gap is NaN."""
    decimal: str
    unit: str | None
    odd: dict[str, int]
    """Texts that are no numbers and are read as gaps, and how often each stands."""
    marks: tuple[str, ...] = ()
    """Usual marks of a gap that stand in it, such as NA; without the empty one."""
    n_bare: int = 0
    """Rows without the unit that others have."""
    is_plain: bool = False
    """Whether all rows have digits, a point and an exponent at most, or are empty."""


@dataclass(frozen=True)
class Evidence:
    """What a column's texts tell of decimal marks."""

    comma: bool
    point: bool
    doubtful: str | None
    """A text such as 1,234, which tells nothing."""


def find_evidence(column: pd.Series) -> Evidence:
    """What a column of texts tells of its decimal mark."""
    texts = column.iloc[:_SAMPLE].drop_duplicates()
    marked = [text for text in texts.to_list() if "." in text or "," in text]
    if all(map(_ONE_POINT.fullmatch, marked)):  # the usual column, in a fraction of the time
        return Evidence(False, any(map(_SURELY_POINT.fullmatch, marked)), None)
    bare = [_BLANKS.sub("", _without_unit(text)[0]) for text in marked]
    doubtful = next((text for text in bare if _GROUP.fullmatch(text)), None)
    point = any(map(_SURELY_POINT.fullmatch, bare))
    if not point and doubtful is not None:
        point = _counts_up_to_a_thousand(column)
    return Evidence(any(map(_SURELY_COMMA.fullmatch, bare)), point, doubtful)


def find_decimal(columns: Iterable[pd.Series]) -> str | None:
    """The decimal mark of a table's numbers; None where columns differ, or nothing tells."""
    found = [find_evidence(column) for column in columns]
    comma = any(e.comma and not e.point for e in found)
    point = any(e.point and not e.comma for e in found)
    return None if comma == point else "," if comma else "."


def read_quantity(column: pd.Series, decimal: str | None, *, sure: bool = False) -> Quantity | None:
    """A column of texts as numbers.

    Args:
        column: texts; empty is a gap.
        decimal: mark of the table's numbers, where known; a column's own evidence comes first.
        sure: the person says that these are numbers: any other text is a gap.

    Returns:
        None where these are no numbers.

    Raises:
        DataError: what the numbers are can't be told.
    """
    if not sure and column.str.fullmatch(_PADDED).any():
        return None
    plain = column.str.fullmatch(_PLAIN).to_numpy(bool, copy=True)
    blank = (column == "").to_numpy(bool)
    if (plain | blank).all() and plain.any() and decimal != ",":  # usual: a fraction of the time
        values = np.full(len(column), np.nan)
        values[plain] = column.to_numpy(object)[plain].astype(np.float64)
        return Quantity(values, ".", None, {}, is_plain=True)
    rest = column[~plain]
    counts = rest[~rest.str.lower().isin(GAPS)].value_counts()
    if not plain.any() and not any(_without_unit(text)[0] for text in counts.index[:_SAMPLE]):
        return None
    n_plain = int(plain.sum())
    unit = _find_unit(counts, n_plain)
    mark = _decimal_of(column, decimal, unit, counts)
    if mark is None:
        return None
    odd = {
        str(text): int(n)
        for text, n in counts.items()
        if parse_number(str(text), mark, unit) is None
    }
    if mark == ",":
        plain &= ~column.str.contains(".", regex=False).to_numpy(bool)
    values = np.full(len(column), np.nan)
    values[plain] = column[plain].to_numpy(object).astype(np.float64)
    others = column[~plain]
    parsed = {text: parse_number(text, mark, unit) for text in others.unique()}
    values[~plain] = others.map(
        {text: np.nan if number is None else number for text, number in parsed.items()}
    ).to_numpy(np.float64)
    if not sure and not _are_numbers(values, odd):
        return None
    if np.isnan(values).all():
        return None
    marks = rest[rest.str.lower().isin(GAPS - {""})].unique()
    n_bare = n_plain if unit is not None else 0
    return Quantity(values, mark, unit, odd, tuple(map(str, marks)), n_bare)


def find_units(texts: Sequence[str]) -> list[str]:
    """Units that stand beside the numbers of a column; none where a text holds no number."""
    found: dict[str, None] = {}
    for text in texts:
        number, unit = _without_unit(text)
        if not number:
            return []
        if unit is not None:
            found[unit] = None
    return list(found)


def plain_numbers(texts: Sequence[str]) -> list[str]:
    """Those of some texts that are numbers without units and groups, with a decimal point."""
    return [text for text in texts if re.fullmatch(_PLAIN, text)]


def _are_numbers(values: NDArray[np.float64], odd: dict[str, int]) -> bool:
    """Whether a column is one of numbers with a few odd texts, and not one of texts."""
    present = values[~np.isnan(values)]
    n_odd = sum(odd.values())
    if n_odd == 0:
        return True
    if len(odd) > 1 and all(map(_CODE.fullmatch, odd)) and (present == np.round(present)).all():
        return False
    many = len(np.unique(present)) > FEW_NUMBERS
    return many and (n_odd <= _ODD_SHARE * (len(present) + n_odd) or len(odd) == 1)


def _decimal_of(
    column: pd.Series, table: str | None, unit: str | None, counts: pd.Series
) -> str | None:
    """The column's decimal mark; None where it holds both."""
    if not any("," in str(text) for text in counts.index) and table != ",":
        return "."
    evidence = find_evidence(column)
    if evidence.comma and evidence.point:
        return None
    if evidence.comma or evidence.point:
        return "," if evidence.comma else "."
    if table is None and evidence.doubtful is not None:
        raise DataError(
            f"column {column.name!r} holds {evidence.doubtful!r}: say whether the comma is a "
            "decimal mark, with --decimal , or divides thousands, with --decimal ."
        )
    return table or "."


def _counts_up_to_a_thousand(column: pd.Series) -> bool:
    """Whether whole numbers without commas stay below a thousand, and those above have commas."""
    texts = column.iloc[:_SAMPLE].drop_duplicates()
    whole = texts[texts.str.fullmatch(r"[+-]?\d+")]
    grouped = texts[texts.str.fullmatch(_GROUP.pattern)]
    return bool(len(whole) and len(grouped) and (whole.str.lstrip("+-").str.len() <= 3).all())


def _without_unit(text: str) -> tuple[str, str | None]:
    """A number's text and its unit; empty where there is no number."""
    found = _WITH_UNIT.fullmatch(text.removeprefix("(").removesuffix(")"))
    if found is None:
        return "", None
    return found[2], found["before"] or (found["after"] or "").strip() or None


def _find_unit(counts: pd.Series, n_plain: int) -> str | None:
    """The one unit of a column's numbers."""
    units: dict[str, int] = {}
    for text, n in counts.items():
        unit = _without_unit(str(text))[1]
        if unit is not None:
            units[unit] = units.get(unit, 0) + int(n)
    if len(units) != 1:
        return None
    unit, n = next(iter(units.items()))
    # A code such as 3B beside 12, 14 and 17 is no number with a unit.
    return unit if n >= n_plain or unit in "%$€£¥" else None
