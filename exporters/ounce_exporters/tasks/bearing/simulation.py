"""Vibration of a rotating machine whose ball bearing is healthy or has one localised fault.

The fault is the point-defect model of McFadden & Smith (1984). Each ball that passes the defect
strikes an impulse. The structure answers with decaying oscillations at its resonances. How hard the
ball strikes follows Stribeck's load distribution at the place of the defect. So the train is
modulated by the shaft's rotation (inner race), by the cage's (ball) or not (outer race). Intervals
between impulses slip at random, by independent increments: the pseudo-cyclostationary model of
Antoni & Randall (2003). Shaft harmonics, gear mesh, stray shocks, coloured and white noise come on
top, in faulty and healthy machines alike.

Sources:
    McFadden, P. D. & Smith, J. D. (1984). Model for the vibration produced by a single point
    defect in a rolling element bearing. Journal of Sound and Vibration 96(1), 69-82.
    Antoni, J. & Randall, R. B. (2003). A stochastic model for simulation and diagnostics of
    rolling element bearings with localized faults. Journal of Vibration and Acoustics 125(3),
    282-289.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.tasks.bearing.geometry import SKF_6205, BearingGeometry

LABELS = ("healthy", "inner-race", "outer-race", "ball")
HEALTHY, INNER_RACE, OUTER_RACE, BALL = range(4)

SAMPLE_RATE_HZ = 10_240
WINDOW = 1_024
"""Samples of one window: 100 ms."""

_PRE_ROLL = 256
"""Samples before the window, so that impulses struck earlier still ring in it."""
_TOTAL = WINDOW + _PRE_ROLL
_MAX_SHOCKS = 8
_CHUNK = 1_024
"""Windows simulated at once: keeps the work arrays in a few tens of megabytes."""

Floats = NDArray[np.floating[Any]]
"""float32, though NumPy's types can't tell so of Fourier transforms."""


@dataclass(frozen=True)
class Conditions:
    """How each window's machine runs; every field is an array of shape (n_windows,)."""

    labels: NDArray[np.int64]
    shaft_hz: Floats
    load: Floats
    """Share of the rated load; widens the load zone and feeds the gear mesh."""
    fault_snr_db: Floats
    """Power of the fault's vibration over that of the noise."""
    slip: Floats
    """Standard deviation of the interval between impulses, as a share of its mean."""
    resonance_hz: Floats
    damping: Floats
    """Damping ratio of both resonances."""
    noise_slope: Floats
    """The coloured noise's power falls as 1/f to this power."""
    white_share: Floats
    """White noise's share of the noise power; the rest is coloured."""
    interference_db: Floats
    """Power of shaft harmonics and gear mesh over that of the noise."""
    shocks: Floats
    """Mean number of stray shocks per window."""
    gain: Floats
    """Root mean square of the noise, in g."""

    @classmethod
    def draw(cls, labels: NDArray[np.int64], rng: np.random.Generator) -> Self:
        """Draw the conditions of one window per label."""

        def uniform(low: float, high: float) -> Floats:
            return rng.uniform(low, high, len(labels)).astype(np.float32)

        load = uniform(0.2, 1.0)
        return cls(
            labels=labels,
            shaft_hz=uniform(28, 50),
            load=load,
            fault_snr_db=uniform(-8, 6) + 4 * (load - np.float32(0.6)),
            slip=uniform(0.003, 0.02),
            resonance_hz=uniform(1_600, 2_800),
            damping=uniform(0.03, 0.08),
            noise_slope=uniform(0.3, 1.5),
            white_share=uniform(0.3, 0.9),
            interference_db=uniform(-12, 3),
            shocks=np.exp(uniform(np.log(0.05), np.log(1.5))),
            gain=np.exp(uniform(np.log(0.1), np.log(2.0))),
        )

    def rows(self, start: int, stop: int) -> Self:
        """The conditions of some windows."""
        return type(self)(**{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})


def simulate(
    conditions: Conditions, rng: np.random.Generator, geometry: BearingGeometry = SKF_6205
) -> NDArray[np.float32]:
    """Simulate one window per condition.

    Returns:
        Acceleration in g, array of shape (n_windows, WINDOW), float32.
    """
    n = len(conditions.labels)
    windows = np.empty((n, WINDOW), np.float32)
    for start in range(0, n, _CHUNK):
        stop = min(start + _CHUNK, n)
        windows[start:stop] = _simulate_chunk(conditions.rows(start, stop), rng, geometry)
    return windows


def simulate_evenly(
    n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Simulate machines of which as many have each label, in random order.

    Returns:
        Windows, array of shape (n, WINDOW), float32, and labels, shape (n,).
    """
    labels = rng.permutation(np.arange(n, dtype=np.int64) % len(LABELS))
    return simulate(Conditions.draw(labels, rng), rng), labels


def _simulate_chunk(c: Conditions, rng: np.random.Generator, geometry: BearingGeometry) -> Floats:
    response = _resonance_response(c, rng)
    fault = _ring(_fault_impulses(c, rng, geometry), response)
    shocks = _ring(_stray_shocks(c, rng), response)
    noise = _noise(c, response, rng)
    interference = _interference(c, rng)

    faulty = (c.labels != HEALTHY).astype(np.float32)
    vibration = noise
    vibration += _scaled(fault, faulty * _amplitude(c.fault_snr_db))
    vibration += _scaled(interference, _amplitude(c.interference_db))
    # Heights are against the noise, so that a lone shock looks like a strong fault's impulse.
    height = rng.uniform(3, 12, len(c.labels)).astype(np.float32)
    vibration += shocks * height[:, None]
    return vibration * c.gain[:, None]


def _fault_impulses(
    c: Conditions, rng: np.random.Generator, geometry: BearingGeometry
) -> tuple[Floats, Floats]:
    """Times in samples from the pre-roll's start, and heights, of each window's impulse train."""
    orders = np.array(
        [
            geometry.outer_race_order,  # healthy: any train will do, its height becomes 0
            geometry.inner_race_order,
            geometry.outer_race_order,
            2 * geometry.ball_spin_order,
        ],
        np.float32,
    )
    modulation_orders = np.array([0, 1, 0, geometry.cage_order], np.float32)
    period_s = 1 / (orders[c.labels] * c.shaft_hz)
    n_impulses = int(1.15 * _TOTAL / SAMPLE_RATE_HZ / period_s.min()) + 3
    shape = (len(c.labels), n_impulses)

    slips = rng.standard_normal(shape, np.float32) * c.slip[:, None]
    times_s = (rng.random((shape[0], 1), np.float32) - 1 + np.cumsum(1 + slips, axis=1)) * period_s[
        :, None
    ]
    turns = (modulation_orders[c.labels] * c.shaft_hz)[:, None] * times_s
    # A standing defect sits near the load zone's middle, where races wear first.
    middle = (c.labels == OUTER_RACE) | (c.labels == HEALTHY)
    start = rng.random((shape[0], 1), np.float32)
    start = np.where(middle[:, None], (start - 0.5) * 0.25, start)
    heights = _stribeck(turns + start, c.load[:, None])
    heights *= 1 + 0.1 * rng.standard_normal(shape, np.float32)
    # A spinning ball strikes the inner and the outer race in turn; they answer differently.
    second = np.where(c.labels == BALL, rng.uniform(0.5, 1.0, shape[0]), 1.0).astype(np.float32)
    heights[:, 1::2] *= second[:, None]
    return times_s * SAMPLE_RATE_HZ, heights


def _stribeck(turns: Floats, load: Floats) -> Floats:
    """Share of the greatest ball load at an angle from the load direction, exponent for balls."""
    half_extent = 0.4 + 0.4 * load  # 0.5: half of the circumference carries
    depth = 1 - (1 - np.cos(2 * np.pi * turns)) / (2 * half_extent)
    loaded: Floats = np.maximum(depth, 0) ** np.float32(1.5) + np.float32(0.05)
    return loaded


def _stray_shocks(c: Conditions, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Times in samples and heights of shocks that come at random, as from chips and knocks."""
    shape = (len(c.labels), _MAX_SHOCKS)
    present = np.arange(_MAX_SHOCKS) < rng.poisson(c.shocks)[:, None]
    times = rng.random(shape, np.float32) * (_TOTAL - 2)
    return times, np.where(present, rng.lognormal(-0.5, 0.6, shape), 0).astype(np.float32)


def _ring(impulses: tuple[Floats, Floats], response: NDArray[np.complex64]) -> Floats:
    """The structure's answer to impulses; array of shape (n_windows, WINDOW)."""
    times, heights = impulses
    inside = (times >= 0) & (times < _TOTAL - 2)
    times = np.where(inside, times, 0)
    heights = heights * inside
    whole = times.astype(np.int64)
    part = times - whole
    flat = whole + np.arange(len(times))[:, None] * _TOTAL
    size = len(times) * _TOTAL
    train = np.bincount(flat.ravel(), (heights * (1 - part)).ravel(), size)
    train += np.bincount(flat.ravel() + 1, (heights * part).ravel(), size)[:size]
    spectrum = np.fft.rfft(train.astype(np.float32).reshape(-1, _TOTAL))
    return np.fft.irfft(spectrum * response, _TOTAL)[:, _PRE_ROLL:]


def _resonance_response(c: Conditions, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Transfer function of two damped modes, shape (n_windows, n_frequencies), peak about 1."""
    omega = 2 * np.pi * np.fft.rfftfreq(_TOTAL, 1 / SAMPLE_RATE_HZ).astype(np.float32)
    total = np.zeros((len(c.labels), len(omega)), np.complex64)
    second = rng.uniform(1.35, 1.7, len(c.labels)).astype(np.float32)
    share = rng.uniform(0.1, 0.6, len(c.labels)).astype(np.float32)
    for frequency_hz, weight in ((c.resonance_hz, 1 - share), (c.resonance_hz * second, share)):
        natural = (2 * np.pi * frequency_hz)[:, None]
        decay = c.damping[:, None] * natural
        # Laplace transform of exp(-decay t) sin(natural t), at s = i omega.
        mode = natural / ((1j * omega + decay) ** 2 + natural**2)
        total += weight[:, None] * (mode * 2 * decay)
    return total * np.float32(6)


def _noise(c: Conditions, response: NDArray[np.complex64], rng: np.random.Generator) -> Floats:
    """White plus coloured noise, part of it passed by the structure; unit variance per window."""
    white = rng.standard_normal((len(c.labels), _TOTAL), np.float32)
    spectrum = np.fft.rfft(rng.standard_normal((len(c.labels), _TOTAL), np.float32))
    f = np.maximum(np.arange(spectrum.shape[1], dtype=np.float32), 2)
    colour = f[None, :] ** (-c.noise_slope[:, None] / 2)
    colour /= np.sqrt(np.mean(colour**2, axis=1, keepdims=True))
    coloured = np.fft.irfft(spectrum * (colour + response * np.float32(0.6)), _TOTAL)
    share = c.white_share[:, None]
    mixed = np.sqrt(share) * white + np.sqrt(1 - share) * _unit(coloured)
    return _unit(mixed[:, _PRE_ROLL:])


def _interference(c: Conditions, rng: np.random.Generator) -> Floats:
    """Shaft harmonics, and a gear mesh modulated by the shaft; array (n_windows, WINDOW)."""
    n = len(c.labels)
    shaft = 2 * np.pi * c.shaft_hz[:, None] * (np.arange(WINDOW, dtype=np.float32) / SAMPLE_RATE_HZ)

    def tone(order: float | Floats, scale: float) -> Floats:
        phase = rng.uniform(0, 2 * np.pi, (n, 1)).astype(np.float32)
        height = rng.uniform(0.2, 1, (n, 1)).astype(np.float32)
        return np.asarray(scale * height * np.cos(order * shaft + phase), np.float32)

    teeth = rng.integers(17, 29, (n, 1)).astype(np.float32)
    mesh = tone(teeth, 1.0) + tone(2 * teeth, 0.5)
    modulation = 1 + tone(1, 0.5)
    shafts = tone(1, 1.0) + tone(2, 0.6) + tone(3, 0.4)
    return shafts + (0.3 + c.load[:, None]) * mesh * modulation


def _amplitude(power_db: Floats) -> Floats:
    amplitude: Floats = np.float32(10) ** (power_db / np.float32(20))
    return amplitude


def _unit(signal: Floats) -> Floats:
    """Scaled to a root mean square of 1 per window."""
    rms = np.sqrt(np.mean(signal**2, axis=1, keepdims=True))
    scaled: Floats = signal / np.maximum(rms, np.float32(1e-12))
    return scaled


def _scaled(signal: Floats, rms: Floats) -> Floats:
    return _unit(signal) * rms[:, None]
