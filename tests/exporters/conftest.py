"""Fixtures of the exporters' tests."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.exporters.operators import gathered_once
from tests.support.process.command import Run
from tests.support.process.command import ounce as run


@pytest.fixture(scope="session", autouse=True)
def operators() -> Iterator[None]:
    """PyTorch's exporter, quicker."""
    with gathered_once():
        yield


@pytest.fixture
def ounce() -> Run:
    """Runs a command in this process."""
    return run


@pytest.fixture
def train(ounce: Run) -> Run:
    """Runs `ounce train`."""
    return partial(ounce, "train")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with an unnamed first column, as R writes them."""
    rng = np.random.default_rng(0)
    n = 120
    table = pd.DataFrame(
        {
            "light": rng.normal(size=n).round(3),
            "season": rng.choice(["summer", "winter"], size=n),
            "site": "north",
            "watts": rng.normal(size=n).round(3),
        }
    )
    table.loc[::10, "light"] = np.nan
    table["busy"] = np.where(table["light"].fillna(0) > 0, "yes", "no")
    path = tmp_path_factory.mktemp("tables") / "Rooms 1.csv"
    rows = table.to_csv(header=False, index=True)
    path.write_text(",".join(f'"{c}"' for c in table.columns) + "\n" + rows, encoding="utf-8")
    return path
