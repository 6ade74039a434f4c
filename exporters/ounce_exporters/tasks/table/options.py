"""What a person may say about a table; what is left unsaid is found out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ounce_schemas.errors import DataError
from ounce_schemas.measure import ACCURACY, Measure
from ounce_schemas.task import TaskKind
from pydantic import ValidationError

COLUMN_KINDS = ("number", "category", "text", "date", "image", "ignore")
MOST_SIDE = 1024
"""Pixels of a side of an image that a person can ask for."""
_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}


@dataclass(frozen=True)
class Writing:
    """How a text file is written; None is found out."""

    separator: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip: int | None = None
    """Lines before the header, or before the first row."""
    decimal: Literal[".", ","] | None = None


@dataclass(frozen=True)
class TableOptions:
    """What is to be made of a table."""

    writing: Writing = Writing()
    columns: Mapping[str, str] = field(default_factory=dict)
    """Kind by column: one of `COLUMN_KINDS`, or `date:FORMAT`."""
    without: frozenset[str] = frozenset()
    kind: TaskKind | None = None
    false_alarms: float | None = None
    """Anomaly: largest share of normal rows that may be flagged."""
    clusters: int | None = None
    """Clusters: how many."""
    reference: Literal["gaussian-mixture", "k-means"] | None = None
    """Clusters: the model that assigns the rows."""
    tolerance: float | None = None
    unit: str | None = None
    """Column that tells whose the rows are: all rows of one stay in one split."""
    time: str | None = None
    """Column by which later rows validate and test."""
    test: Path | None = None
    """Another table, whose rows validate and test."""
    measure: Measure = ACCURACY
    """What is promised of the models."""
    by: str | None = None
    """Column by whose values figures are told apart; it need not be an input."""
    window: int | None = None
    """Steps of the sequences that the rows of a unit are cut into; of series, the most of each."""
    remaining: int | None = None
    """The target is how many steps of its unit are left, at most so many."""
    image: tuple[int, int, int | None] | None = None
    """Height and width that images have or are brought to, and their channels where said. Where no
    column names files, rows hold pixels."""


def read_separator(text: str | None) -> str | None:
    """A separator as it is typed: one character, or tab, space, comma, semicolon.

    Raises:
        DataError: it is neither.
    """
    if text is None:
        return None
    found = _SEPARATORS.get(text, text)
    if len(found) != 1 or found in '"\r\n':
        raise DataError(f"--sep {text!r}: give one character, or tab, space, comma or semicolon")
    return found


def read_image_size(text: str | None) -> tuple[int, int, int | None] | None:
    """A size as it is typed: `28x28`, or with the channels `64x48x3`.

    Raises:
        DataError: it is none.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})(?:x([13]))?", text)
    if found is None or not all(1 <= int(side) <= MOST_SIDE for side in found.groups()[:2]):
        raise DataError(
            f"--image {text!r}: give HEIGHTxWIDTH in pixels, such as 28x28, from 1 to {MOST_SIDE} "
            "each; x1 (grey) or x3 (colours) may follow"
        )
    height, width, channels = found.groups()
    return int(height), int(width), int(channels) if channels else None


def read_column_kinds(given: Sequence[str]) -> dict[str, str]:
    """NAME=KIND texts by name; the name may hold an equals sign.

    Raises:
        DataError: no such kind, or a column is named twice.
    """
    kinds: dict[str, str] = {}
    for text in given:
        found = re.fullmatch(
            r"(.+)=(number|category|text|date|image|ignore|date:.+)", text, re.DOTALL
        )
        if found is None:
            raise DataError(
                f"--columns {text!r}: give NAME=KIND; a kind is one of {', '.join(COLUMN_KINDS)}, "
                "or date:FORMAT such as date:%d/%m/%Y"
            )
        name, kind = found.groups()
        if kinds.setdefault(name, kind) != kind:
            raise DataError(f"--columns names {name!r} twice: {kinds[name]} and {kind}")
    return kinds


def read_measure(text: str) -> Measure:
    """A measure as it is typed: `accuracy`, `balanced-accuracy`, `recall:CLASS@RATE`, `f1:CLASS`.

    The class's name may hold colons and @.

    Raises:
        DataError: it is none of them.
    """
    kind, colon, of_class = text.partition(":")
    label, at, rate = of_class.rpartition("@") if kind == "recall" else (of_class, "", "")
    fields = {"label": label or None, "false_alarms": rate or None}
    try:
        if bool(colon) == bool(label) and bool(at) == bool(rate):
            return Measure.model_validate({"kind": kind, **fields})
    except ValidationError:
        pass
    raise DataError(
        f"--measure {text!r}: give accuracy, balanced-accuracy, recall:CLASS@RATE or f1:CLASS; "
        "RATE, such as 0.01, is the most of other classes' rows that may be answered with CLASS"
    )


def check_kind(target: str | None, options: TableOptions) -> None:
    """Refuse what is said of another kind of task.

    Raises:
        DataError: names the options that don't go together.
    """
    if options.kind in ("anomaly", "clusters") and options.tolerance is not None:
        raise DataError(f"--tolerance is for quantities, not for --kind {options.kind}")
    if options.kind != "clusters" and (options.clusters or options.reference):
        raise DataError("--clusters and --reference are for --kind clusters")
    if options.kind == "clusters" and not options.measure.is_plain:
        raise DataError("--measure is not for --kind clusters: accuracy is agreement")
    if options.kind != "anomaly":
        if target is None and options.kind != "clusters":
            raise DataError("--data needs --target COLUMN, or --kind anomaly or clusters")
        if options.false_alarms is not None:
            raise DataError("--false-alarms is for --kind anomaly; see also --measure recall")
    elif options.measure.kind in ("recall", "f1"):
        raise DataError(
            f"--measure {options.measure.kind} with --kind anomaly: the flag keeps --false-alarms; "
            "give accuracy or balanced-accuracy"
        )
