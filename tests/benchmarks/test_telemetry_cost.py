"""What is made of the rates with and without telemetry."""

from benchmarks.worker.telemetry_cost import rows_of


def test_each_kind_of_telemetry_is_held_against_none() -> None:
    rates = {"silent": [200.0, 100.0], "told": [190.0, 99.0], "traced": [180.0, 98.0]}
    rows = rows_of("raw", rates)
    assert [row[2:] for row in rows] == [
        [150, "1.00 (1.00 to 1.00)"],
        [144, "0.97 (0.95 to 0.99)"],
        [139, "0.94 (0.90 to 0.98)"],
    ]
