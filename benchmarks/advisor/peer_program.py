"""What the program of a peer does beside searching: reading rows, timing, telling. It imports
nothing of ours: it runs in the peer's environment."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

_CALLS = 200
_TIMED_S = 2.0


class Asked(NamedTuple):
    """The command line of a peer's program."""

    folder: Path
    seconds: float
    """That it may search."""
    row_us: float
    """That a row may take."""
    batch: int
    """Rows of a call."""


def asked() -> Asked:
    """What this program is told."""
    folder, seconds, row_us, batch = sys.argv[1:]
    return Asked(Path(folder), float(seconds), float(row_us), int(batch))


def rows(folder: Path, name: str) -> tuple[Any, Any]:
    """Inputs, texts as categories, and targets."""
    import pandas as pd

    frame = pd.read_parquet(folder / f"{name}.parquet")
    targets = frame.pop("target").to_numpy()
    for column in frame.select_dtypes(exclude="number"):
        frame[column] = frame[column].astype("category")
    return frame, targets


def tell(predict: Callable[[Any], Any], wanted: Asked, begun_s: float) -> None:
    """Write accuracy on the test rows, times of a row, and seconds since the search began."""
    import numpy as np

    seconds = time.monotonic() - begun_s
    inputs, targets = rows(wanted.folder, "test")
    accuracy = float((np.asarray(predict(inputs)).ravel() == targets).mean())
    told = {
        "accuracy": accuracy,
        "row_us": _row_us(predict, inputs.iloc[: wanted.batch]),
        "alone_us": _row_us(predict, inputs.iloc[:1]),
        "seconds": seconds,
    }
    print(json.dumps(told))


def _row_us(predict: Callable[[Any], Any], call: Any) -> float:
    taken, ends_s = [], time.monotonic() + _TIMED_S
    for _ in range(_CALLS):
        start = time.perf_counter()
        predict(call)
        taken.append(time.perf_counter() - start)
        if time.monotonic() > ends_s:
            break
    return 1e6 * median(taken) / len(call)
