"""Others that choose a model for a table within a time a row, each in an environment of its own.

A peer gets the rows that the advice learns from, and as many seconds as it is given; it answers the
same test rows.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.training.classical import as_matrix

from benchmarks.advisor.case import Limit, Peered
from benchmarks.advisor.regret import load_table
from benchmarks.peers.environment import PeerUnavailableError, prepare

_HERE = Path(__file__).parent
_ROWS_FILES = ("train.parquet", "test.parquet")
_GRACE_S = 240.0
"""More than it is given, until it is given up."""
TARGET = "target"


@dataclass(frozen=True)
class Searcher:
    """A peer: a program that is told a folder, seconds, microseconds of a row, rows of a call."""

    name: str
    program: str
    """File in this folder."""
    requirements: tuple[str, ...] = ()
    """Of its environment; none: it runs in this one."""


PEERS: Mapping[str, Searcher] = {
    peer.name: peer
    for peer in (
        Searcher("flaml", "flaml_peer.py", ("flaml[automl]==2.8.0", "pyarrow")),
        Searcher(
            "autogluon",
            "autogluon_peer.py",
            ("autogluon.tabular[lightgbm]==1.6.3", "pyarrow"),
        ),
        Searcher("tuned-boosting", "tuned_boosting_peer.py"),
    )
}


def compare(peer: Searcher, path: Path, limit: Limit, seconds: float) -> Peered:
    """Let a peer search on the first split of a table.

    Args:
        peer: who.
        path: of the table.
        limit: that it is told.
        seconds: that it may search.

    Raises:
        PeerUnavailableError: it can't be installed, or ends with an error.
    """
    python = prepare(peer, shared_names=())
    data = load_table(path, 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for split, file in zip((_learned(data), data.test), _ROWS_FILES, strict=True):
            frame(data, split).to_parquet(folder / file)
        told = _run([python, _HERE / peer.program, folder], limit, seconds)
    return Peered(
        peer=peer.name,
        table=path.stem,
        limit=limit,
        accuracy=told["accuracy"],
        row_us=told["row_us"],
        alone_us=told["alone_us"],
        seconds=told["seconds"],
    )


def frame(data: TaskData, split: Split) -> pd.DataFrame:
    """Rows as a table of numbers and categories, with their target; an empty text is a gap."""
    matrix = as_matrix(data.spec, split.inputs)
    is_text = [t.datatype == "BYTES" for t in data.spec.inputs for _ in range(t.size)]
    columns: dict[str, object] = {}
    for place, text in enumerate(is_text):
        column = matrix[:, place]
        columns[f"c{place}"] = (
            pd.Series(column, dtype=str).replace("", None) if text else column.astype(np.float64)
        )
    return pd.DataFrame({**columns, TARGET: split.targets})


def _learned(data: TaskData) -> Split:
    """All rows that are not tested by."""
    if data.folds is not None:  # the validation rows are among them
        return data.train
    parts = (data.train, data.validation)
    inputs = {name: np.concatenate([p.inputs[name] for p in parts]) for name in data.train.inputs}
    return Split(inputs, np.concatenate([p.targets for p in parts]))


def _run(program: list[str | Path], limit: Limit, seconds: float) -> dict[str, float]:
    command = [*program, f"{seconds:g}", f"{limit[0]:g}", str(limit[1])]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + _GRACE_S, check=True
        )
    except subprocess.CalledProcessError as e:
        lines = (e.stderr or f"exit code {e.returncode}").strip().splitlines()
        raise PeerUnavailableError("; ".join(lines[-2:])) from e
    except subprocess.TimeoutExpired as e:
        raise PeerUnavailableError(f"no end after {e.timeout:g} s") from e
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
