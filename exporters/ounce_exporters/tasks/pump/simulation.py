"""Readings of a centrifugal pump, healthy or with one of four faults.

A healthy pump follows the affinity laws: head goes with the square of the speed less a share of the
square of the flow, power with flow times head over efficiency (J. F. Gülich, "Centrifugal Pumps",
3rd edition, 2014, chapters 1 and 3). So a fault seldom shows in one reading: it breaks how they go
together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS = (
    "speed_rpm",
    "flow_m3_h",
    "pressure_bar",
    "current_a",
    "vibration_mm_s",
    "bearing_c",
)
FAULTS = ("worn impeller", "cavitation", "failing bearing", "stuck flow meter")
_RATED_RPM, _RATED_FLOW, _SHUT_OFF_BAR = 2900.0, 60.0, 6.0
_AMPERE_PER_POWER = 0.085
_NOISE = (4.0, 0.5, 0.04, 0.15, 0.15, 0.6)
"""Standard deviation of each reading."""


@dataclass(frozen=True)
class Readings:
    """Some readings, one row each."""

    values: NDArray[np.float32]
    """In the order of `COLUMNS`; array of shape (n, 6)."""
    is_strange: NDArray[np.bool_]
    """Whether a fault was there; array of shape (n,)."""


def simulate(n: int, share: float, seed: int) -> Readings:
    """Readings at random speeds, demands and ambient temperatures.

    Args:
        n: how many.
        share: of readings that have a fault, evenly of each kind.
        seed: of everything that is random.
    """
    rng = np.random.default_rng(seed)
    fault = np.where(rng.random(n) < share, rng.integers(0, len(FAULTS), n), -1)
    severity = rng.uniform(0.5, 1.5, n)
    worn, cavitates, bearing, stuck = (severity * (fault == i) for i in range(len(FAULTS)))

    speed = rng.uniform(0.6, 1.0, n)  # of the rated one
    flow = speed * rng.uniform(0.3, 1.1, n) * (1 - 0.12 * cavitates)  # of the rated one
    head = (speed**2 - 0.35 * flow**2) * (1 - 0.1 * worn) * (1 - 0.08 * cavitates)
    efficiency = 0.78 - 0.25 * (flow / speed - 0.85) ** 2 - 0.06 * worn
    power = flow * head / efficiency + 0.08 * speed**3 + 0.03 * bearing
    vibration = 0.8 + 1.2 * speed**2 + 1.5 * cavitates + 1.2 * bearing
    temperature = rng.normal(22, 4, n) + 28 * power + 9 * bearing
    exact = np.stack(
        [
            speed * _RATED_RPM,
            flow * _RATED_FLOW,
            head * _SHUT_OFF_BAR,
            4.0 + power / _AMPERE_PER_POWER,
            vibration,
            temperature,
        ],
        axis=1,
    )
    values = exact + rng.normal(size=exact.shape) * _NOISE
    values[:, 1] = _where_stuck(stuck, values[:, 1], rng)
    return Readings(values.astype(np.float32), fault >= 0)


def _where_stuck(stuck: NDArray[Any], flow: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """A meter that is stuck shows what it showed at another time."""
    return np.where(stuck > 0, rng.permutation(flow), flow)
