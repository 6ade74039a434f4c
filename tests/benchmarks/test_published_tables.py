"""Tables for the documentation hold what was measured, one row each."""

import numpy as np

from benchmarks.results import text
from benchmarks.routing import published
from benchmarks.routing.equal_accuracy import Comparison, Difference, Side
from benchmarks.routing.matrix import Cell
from benchmarks.routing.rules import FIXED, ORACLE, OURS, RULES
from benchmarks.routing.scores import Score
from benchmarks.routing.workloads import KINDS
from benchmarks.worker.batch_delay import Seen, table_of
from benchmarks.worker.delivery_cost import MODES, latency_table, throughput_table
from benchmarks.worker.light_beside_heavy import Round
from benchmarks.worker.light_beside_heavy import table_of as light_table
from tests.services.reports import make_task_report


def score(rule: str, kind: str) -> Score:
    share = {OURS: 0.9, ORACLE: 1.0}.get(rule, 0.5)
    misses = 100 if rule == FIXED else 4
    return Score(share, share, misses, share / 2, 1.0, 0.9, 0.9, 3.25, 1.0, 2.0, {0.9: 0.95})


CELLS = [
    Cell("digits", kind, rule, seed, score(rule, kind))
    for kind in KINDS
    for rule in RULES
    for seed in (1, 2)
]


def test_each_rule_has_a_row_of_all_workloads() -> None:
    table = published.summary_table(CELLS, "digits")
    assert table.columns == ["rule", *KINDS, "µs a message, steady"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows.keys() == {f"**{rule}**" if rule == OURS else rule for rule in RULES}
    assert rows["**ours**"] == [*["90.0% / 45.0%"] * len(KINDS), "3.25"]
    assert table.note is not None
    assert table.note.endswith("Means of 2 seeds.")


def test_reading_alike_is_told_of_each_task() -> None:
    [row] = published.same_reading_table(CELLS).rows
    assert row == ["digits", "-40.0%", "25.0%", "45.0%", "25", "25"]


def test_equal_accuracy_tells_ours_against_the_best() -> None:
    best, ours = Side("big", 0.99, 0.98, 80.0, 40.0), Side("a>b", 0.985, 0.97, 20.0, 4.0)
    some = Comparison("digits", best, best, ours, Difference(-0.01, 0.005, 450), None)
    [row] = published.equal_accuracy_table([some]).rows
    assert row == [
        "digits", "`a>b`", "4.0", "10.0", "4.0", "0.9700 / 0.9800", "-1.00 (0.50)", None
    ]  # fmt: skip


def test_a_bare_transaction_stands_beside_the_deliveries() -> None:
    latencies = {mode: [make_task_report(p50_ms=5.0, p99_ms=9.0)] for mode in MODES}
    table = latency_table(latencies, [8.0, 9.0, 10.0], 500)
    assert [row[:3] for row in table.rows] == [
        ["at-least-once", "5.0", "9.0"],
        ["exactly-once", "5.0", "9.0"],
        ["a bare transaction of ten records", "9.0", "10.0"],
    ]


def test_medians_and_ratios_of_one_round() -> None:
    rates = {"at-least-once": [100.0, 300.0, 200.0], "exactly-once": [50.0, 300.0, 100.0]}
    table = throughput_table(rates)
    assert table.rows == [["at-least-once", 200], ["exactly-once", 100]]
    assert "0.50 (0.50 to 1.00)" in str(table.note)
    found = {(200, 0.0): [Seen(100, 1, 2, 3, 4, 0.5)], (200, 5.0): [Seen(70, 1, 8, 6, 7, 1.0)]}
    [row] = table_of(found, [200]).rows
    assert row == [200, "0.70", "0.70 to 0.70", "2.0", "8.0", "3.0", "6.0", "50.0%", "100.0%"]


def test_light_messages_beside_heavy_ones() -> None:
    slow, quick = (Round(np.array([ms] * 4), np.array([20.0]), 1.0) for ms in (8.0, 4.0))
    table = light_table({0: [slow], 1: [quick]}, 0.5)
    assert table.rows == [["0", "0.0%", "8.0", "8.0", "20"], ["1", "100.0%", "4.0", "4.0", "20"]]
    assert "2.00 (2.00 to 2.00)" in str(table.note)


def test_a_table_is_aligned_in_a_terminal() -> None:
    assert text(throughput_table({"at-least-once": [2e6], "exactly-once": [1e6]})).startswith(
        "delivery       backlog, messages/s\nat-least-once  2,000,000\nexactly-once   1,000,000\n"
    )
