"""The simulated machine has the physics that its sources describe."""

from dataclasses import replace

import numpy as np
import pytest
from ounce_exporters.tasks.bearing.geometry import SKF_6205
from ounce_exporters.tasks.bearing.simulation import (
    BALL,
    HEALTHY,
    INNER_RACE,
    OUTER_RACE,
    SAMPLE_RATE_HZ,
    WINDOW,
    Conditions,
    simulate,
)

BIN_HZ = SAMPLE_RATE_HZ / WINDOW
IMPULSE_ORDERS = {
    INNER_RACE: SKF_6205.inner_race_order,
    OUTER_RACE: SKF_6205.outer_race_order,
    BALL: 2 * SKF_6205.ball_spin_order,
}


def clear(label, n=200):
    """A strong fault in a quiet machine."""
    rng = np.random.default_rng(label)
    labels = np.full(n, label)
    drawn = Conditions.draw(labels, rng)

    def constant(value):
        return np.full(n, value, np.float32)

    conditions = replace(
        drawn,
        fault_snr_db=constant(20),
        slip=constant(0.002),
        interference_db=constant(-60),
        shocks=constant(0),
    )
    return conditions, simulate(conditions, rng)


def envelope_spectrum(windows, fold=4):
    """Amplitudes of the squared envelope's harmonics over its mean, and their frequencies.

    The window is padded `fold` times, so that a peak can be read finer than a bin.
    """
    spectrum = np.fft.fft(windows - windows.mean(axis=1, keepdims=True), axis=1)
    spectrum[:, WINDOW // 2 :] = 0
    envelope = np.abs(2 * np.fft.ifft(spectrum, axis=1)) ** 2
    relative = envelope / envelope.mean(axis=1, keepdims=True) - 1
    amplitudes = np.abs(np.fft.rfft(relative * np.hanning(WINDOW), fold * WINDOW, axis=1))
    return amplitudes / (WINDOW / 4), np.arange(amplitudes.shape[1]) * BIN_HZ / fold


def test_orders_are_those_published_for_the_6205():
    assert SKF_6205.outer_race_order == pytest.approx(3.5848, abs=1e-3)
    assert SKF_6205.inner_race_order == pytest.approx(5.4152, abs=1e-3)
    assert SKF_6205.cage_order == pytest.approx(0.3983, abs=1e-3)
    assert 2 * SKF_6205.ball_spin_order == pytest.approx(4.7135, abs=3e-3)


@pytest.mark.parametrize("label", IMPULSE_ORDERS)
def test_envelope_spectrum_peaks_at_the_fault_frequency(label):
    conditions, windows = clear(label)
    amplitudes, rates_hz = envelope_spectrum(windows)
    expected_hz = IMPULSE_ORDERS[label] * conditions.shaft_hz
    # All three faults lie between 3 and 6.5 times the shaft's frequency.
    orders = rates_hz / conditions.shaft_hz[:, None]
    candidates = np.where((orders > 3) & (orders < 6.5), amplitudes, 0)
    peak_hz = rates_hz[candidates.argmax(axis=1)]
    assert np.mean(np.abs(peak_hz - expected_hz) <= BIN_HZ) >= 0.9
    assert abs(np.median(peak_hz / expected_hz) - 1) < 0.01


def test_a_healthy_bearing_has_no_such_peak():
    _, healthy = clear(HEALTHY)
    highest = envelope_spectrum(healthy)[0].max(axis=1)
    for label in IMPULSE_ORDERS:
        _, faulty = clear(label)
        assert np.median(envelope_spectrum(faulty)[0].max(axis=1)) > 2 * np.median(highest)


def modulation(label, order):
    """Median amplitude at an order of the shaft, over all windows."""
    conditions, windows = clear(label)
    amplitudes, rates_hz = envelope_spectrum(windows)
    at = np.abs(rates_hz - (order * conditions.shaft_hz)[:, None]).argmin(axis=1)
    return np.median(amplitudes[np.arange(len(at)), at])


def test_the_shaft_modulates_an_inner_race_fault_and_no_other():
    inner = modulation(INNER_RACE, 1)
    assert inner > 3 * modulation(OUTER_RACE, 1)
    assert inner > 3 * modulation(HEALTHY, 1)


def test_sidebands_of_the_inner_race_lie_a_shaft_turn_away():
    above = SKF_6205.inner_race_order + 1
    assert modulation(INNER_RACE, above) > 2 * modulation(OUTER_RACE, above)


def test_every_window_is_finite_and_alive():
    labels = np.arange(2_000) % 4
    rng = np.random.default_rng(1)
    windows = simulate(Conditions.draw(labels, rng), rng)
    assert windows.shape == (2_000, WINDOW)
    assert windows.dtype == np.float32
    assert np.isfinite(windows).all()
    assert windows.std(axis=1).min() > 0.01


def test_the_same_seed_gives_the_same_windows():
    labels = np.arange(64) % 4

    def windows(seed):
        rng = np.random.default_rng(seed)
        return simulate(Conditions.draw(labels, rng), rng)

    np.testing.assert_array_equal(windows(3), windows(3))
    assert not np.array_equal(windows(3), windows(4))
