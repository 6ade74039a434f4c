"""What is made of the rates of all sides."""

from benchmarks.worker.throughput import Run, in_turn, row_of, spread


def test_ratios_are_of_one_round() -> None:
    assert spread([100.0, 300.0, 200.0], [200.0, 100.0, 100.0]) == "2.00 (0.50 to 3.00)"


def test_a_row_holds_all_sides_both_ratios_and_processor_times() -> None:
    rates = {"worker": [100.0, 120.0], "limit": [200.0, 240.0], "contract": [50.0, 40.0]}
    runs = {side: [Run(rate, 1e3 / rate) for rate in of_side] for side, of_side in rates.items()}
    assert row_of("raw", runs) == [
        "raw", 110, 220, 45, "0.50 (0.50 to 0.50)", "2.50 (2.00 to 3.00)", 9.2, 4.6, 22.5
    ]  # fmt: skip


def test_another_side_begins_each_round() -> None:
    assert [in_turn("abc", i) for i in range(4)] == [
        ["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]
    ]  # fmt: skip
