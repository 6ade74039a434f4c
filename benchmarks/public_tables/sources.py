"""The tables: those in a folder, which is not part of the project, and scikit-learn's own."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sklearn import datasets

REGRESSION_TARGETS = {
    "abalone": "rings",
    "Bikeshare": "bikers",
    "Wage": "wage",
    "Hitters": "Salary",
    "College": "Apps",
}
"""By the name of the file in `regression/`."""
_BUNDLED = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast-cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}


@dataclass(frozen=True)
class Source:
    """One table in a file."""

    name: str
    path: Path
    target: str
    kind: Literal["classification", "regression"]


def bundled(folder: Path) -> Iterator[Source]:
    """scikit-learn's own tables, written to `folder` as CSV files when they are asked for."""
    for name, load in _BUNDLED.items():
        path = folder / f"{name}.csv"
        bunch = load(as_frame=True)
        if not path.exists():
            bunch.frame.to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL)
        yield Source(name, path, "target", "regression" if name == "diabetes" else "classification")


def in_folder(folder: Path) -> Iterator[Source]:
    """Tables of a folder: `tables/NAME.parquet` with a `target`, and `regression/NAME.csv`.

    Raises:
        FileNotFoundError: it holds neither.
        KeyError: a regression whose target is not known.
    """
    found = [
        *(Source(p.stem, p, "target", "classification") for p in folder.glob("tables/*.parquet")),
        *(
            Source(f"{p.stem} (quantity)", p, REGRESSION_TARGETS[p.stem], "regression")
            for p in folder.glob("regression/*.csv")
        ),
    ]
    if not found:
        raise FileNotFoundError(
            f"{folder}: no tables/NAME.parquet and no regression/NAME.csv is there"
        )
    yield from sorted(found, key=_size)


def _size(source: Source) -> tuple[int, str]:
    """Small tables first, so that a run that is cut short has seen most of them."""
    return source.path.stat().st_size, source.name
