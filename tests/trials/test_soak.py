"""A soak's verdict: a leak is a slope, noise is none."""

import numpy as np

from trials.chaos.soak_report import Sample, soak_table, trend


def test_noise_around_a_level_is_flat() -> None:
    at_s = np.arange(0, 3600, 5.0)
    noise = np.random.default_rng(1).normal(0, 2, len(at_s))
    slope = trend(at_s.tolist(), (140 + noise).tolist())
    assert slope.is_flat
    assert slope.error < 1


def test_a_leak_is_not_flat_and_is_measured() -> None:
    at_s = np.arange(0, 3600, 5.0)
    noise = np.random.default_rng(1).normal(0, 2, len(at_s))
    slope = trend(at_s.tolist(), (140 + 10 * at_s / 3600 + noise).tolist())
    assert not slope.is_flat
    assert abs(slope.per_hour - 10) < 2


def test_few_samples_say_nothing() -> None:
    assert trend([0.0, 1.0], [1.0, 2.0]).is_flat


def test_the_table_tells_what_is_flat() -> None:
    rng = np.random.default_rng(2)
    samples = [
        Sample(60.0 * i, 140 + rng.normal(0, 0.1), 54, 35 + i // 3, 1000 * i, 7 * i)
        for i in range(60)
    ]
    table = soak_table(samples, 2906.4, "at-least-once")
    assert {row[0]: row[-1] for row in table.rows} == {
        "resident memory": "yes",
        "handles": "yes",
        "threads": "no",
    }
    assert table.rows[1][1] == "54.0 to 54.0 handles"
    assert table.note is not None
    assert "59 minutes, at-least-once, 2,906 messages/s, 59,000 answered; at most 413" in table.note
