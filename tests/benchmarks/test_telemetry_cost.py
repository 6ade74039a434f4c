"""What is made of processor times with and without telemetry, and of scrapes."""

import pytest

from benchmarks.worker import scrape_cost
from benchmarks.worker.telemetry_cost import rows_of


def test_each_kind_of_telemetry_is_held_against_none() -> None:
    costs = {"silent": [200.0, 100.0], "told": [210.0, 101.0], "traced": [220.0, 102.0]}
    rows = rows_of("raw", costs)
    assert [row[2:] for row in rows] == [
        [150.0, "1.00 (1.00 to 1.00)"],
        [155.5, "1.03 (1.01 to 1.05)"],
        [161.0, "1.06 (1.02 to 1.10)"],
    ]


def test_scrapes_are_measured_by_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape_cost, "_ROUNDS", 2)
    monkeypatch.setattr(scrape_cost, "N_TASKS", 2)
    table = scrape_cost.scrape_table()
    assert [row[0] for row in table.rows] == ["none", "one of each task", "all of all tasks"]
    assert table.note is not None
    assert table.note.startswith("2 tasks of 8 models, ")
