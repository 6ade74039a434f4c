"""A soak's verdict: a leak is a slope, noise is none."""

import numpy as np

from trials.chaos.soak import trend


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
