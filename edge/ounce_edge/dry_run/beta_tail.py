"""The upper tail of a Beta distribution, without SciPy: workers and services have none."""

import math
from functools import lru_cache

_MOST_STEPS = 10_000
_PRECISION = 1e-12
_TINY = 1e-300


@lru_cache(maxsize=65_536)
def beta_tail(a: float, b: float, x: float) -> float:
    """Probability that a Beta(a, b) variable is at least `x`.

    The continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated by Lentz's
    method; both parameters are over 0.
    """
    if x <= 0.0:
        return 1.0
    if x >= 1.0:
        return 0.0
    if x < (a + 1.0) / (a + b + 2.0):  # where the fraction converges fast
        return 1.0 - _lower(a, b, x)
    return _lower(b, a, 1.0 - x)


def _lower(a: float, b: float, x: float) -> float:
    """Probability that it is at most `x`."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, _MOST_STEPS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _off_zero(1.0 + step * d)
            c = _off_zero(1.0 + step / c)
            fraction *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return min(1.0, math.exp(log_front) * fraction / a)


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
