"""Fixtures of the exporters' tests."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ounce_schemas.command import main

from tests.support.exporters.commands import Result, Run


@pytest.fixture
def ounce(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, from the entry point that a person's shell calls."""

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr("sys.argv", ["ounce", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        code = end.value.code
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err)

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
