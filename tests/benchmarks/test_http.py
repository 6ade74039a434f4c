"""What the comparison of HTTP with Kafka shows."""

from benchmarks.http.__main__ import cost_table, speed_table


def test_rates_are_those_of_the_whole_time_and_the_ratio_is_theirs() -> None:
    kafka_s, http_s = [0.001] * 98 + [0.1] * 2, [0.002] * 50
    [row] = speed_table({8: (kafka_s, http_s)}, 10.0).rows
    under_way, kafka, http, ratio, kafka_p50, http_p50, kafka_p99, http_p99 = row
    assert (under_way, kafka, http, ratio) == (8, 10, 5, 0.5)
    assert (kafka_p50, http_p50, kafka_p99, http_p99) == (1.0, 2.0, 100.0, 2.0)


def test_what_is_passed_over_is_told_finer_than_a_call() -> None:
    assert [cells[1] for cells in cost_table(321.4, 1.84).rows] == [321, 1.8]
