"""A table that the advisor's tests share."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A line tells the classes apart, nearly."""
    rng = np.random.default_rng(0)
    n = 240
    table = pd.DataFrame(
        {"heat": rng.normal(size=n).round(3), "site": rng.choice(["north", "south"], n)}
    )
    noisy = table["heat"] + rng.normal(scale=0.4, size=n)
    table["state"] = np.where(noisy > 0, "worn", "good")
    path = tmp_path_factory.mktemp("tables") / "pumps.csv"
    table.to_csv(path, index=False)
    return path
