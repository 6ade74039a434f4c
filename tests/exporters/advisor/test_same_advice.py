"""The same data, options and seed give the same advice, byte by byte, whatever the machine does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ounce_exporters.advisor import advising
from ounce_exporters.training.tuning import Family
from threadpoolctl import threadpool_limits

from tests.support.process.command import Run

BURN = "import os; os.nice(19)\nwhile True: pass"
"""Takes what is idle: where nothing is, there is load enough."""


def document(path: Path) -> str:
    """All of an advice but what a clock gave, as it is written."""
    advice = json.loads(path.read_text())
    assert advice.pop("measured")["models"]
    return json.dumps(advice)


def write_pumps(folder: Path) -> tuple[str, ...]:
    """A table of two classes that a curve tells apart, and how to ask of it."""
    rng = np.random.default_rng(0)
    n = 160
    table = pd.DataFrame(
        {"heat": rng.normal(size=n).round(3), "site": rng.choice(["north", "south"], n)}
    )
    noisy = table["heat"] ** 2 + rng.normal(scale=0.2, size=n)
    table["state"] = np.where(noisy > 0.7, "worn", "good")
    table.to_csv(folder / "pumps.csv", index=False)
    return ("--data", str(folder / "pumps.csv"), "--target", "state")


def test_in_another_process_under_load_with_other_threads_and_hashes(
    ounce: Run, tmp_path: Path
) -> None:
    asked = ("advise", *write_pumps(tmp_path), "--budget", "2", "--out")
    first, second = tmp_path / "first.json", tmp_path / "second.json"

    assert ounce(*asked, first).code == 0
    other = os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3"}
    program = "from ounce_schemas.command import main; main()"
    burning = subprocess.Popen([sys.executable, "-c", BURN])
    try:
        subprocess.run([sys.executable, "-c", program, *asked, second], env=other, check=True)
    finally:
        burning.kill()
        burning.wait()

    assert document(first) == document(second)


def test_where_a_network_races_on_more_threads(
    ounce: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raced = {"decision-tree", "mlp"}
    every = advising.families

    def some(*arguments: Any, **options: Any) -> list[Family]:
        return [f for f in every(*arguments, **options) if f.name in raced]

    monkeypatch.setattr(advising, "families", some)
    asked = ("advise", *write_pumps(tmp_path), "--budget", "3", "--out")
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    threads = torch.get_num_threads()

    try:
        for out, n_threads in ((first, 1), (second, 3)):
            torch.set_num_threads(n_threads)
            with threadpool_limits(n_threads):
                told = ounce(*asked, out)
            assert told.code == 0, told.stderr
    finally:
        torch.set_num_threads(threads)

    arms = json.loads(first.read_text())["arms"]
    assert {arm["model"] for arm in arms if arm["curve"]} == raced
    assert document(first) == document(second)
