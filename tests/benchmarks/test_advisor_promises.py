"""What `ounce train --advice` keeps of its promises, as the documentation tells it."""

from benchmarks.advisor.promises import Promise, table_of


def test_each_promise_has_a_row() -> None:
    found = [
        Promise("t", same_models=True, in_interval=True, above_low=False, ratios=(1.0, 0.95)),
        Promise("u", same_models=False, in_interval=None, above_low=None, ratios=(1.3, 0.8)),
    ]

    table = table_of(found)

    assert [row[1] for row in table.rows] == [
        "1 of 2",
        "1 of 1",
        "0 of 1",
        "2 of 4; median 0.97 times, from 0.80 to 1.30",
    ]
    assert table.note == "2 tables."
