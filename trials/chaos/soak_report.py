"""What a soak showed: are memory, handles and threads flat?"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.results import Cell, Table

_SHOWN = (("resident_mb", "MB"), ("handles", "handles"), ("threads", "threads"))


class Sample(NamedTuple):
    """The worker at one moment."""

    at_s: float
    resident_mb: float
    handles: int
    threads: int
    answered: int
    """Predictions up to then."""
    waiting: int
    """Requests without one."""


class Trend(NamedTuple):
    """A straight line through samples."""

    per_hour: float
    error: float
    """Standard error of `per_hour`, for samples that depend on their neighbours."""

    @property
    def is_flat(self) -> bool:
        """Whether it may well be no slope at all: within two standard errors of none."""
        return abs(self.per_hour) <= 2 * self.error + 1e-6


def trend(at_s: Sequence[float], values: Sequence[float]) -> Trend:
    """Slope of a least-squares line, and its standard error.

    The error is that of the slopes of ten consecutive blocks' means: neighbours are alike, so that
    the usual one, of independent samples, would be far too small.
    """
    n_blocks = min(10, len(values))
    if n_blocks < 3:
        return Trend(0.0, float("inf"))
    x = np.array([block.mean() for block in np.array_split(np.asarray(at_s) / 3600, n_blocks)])
    y = np.array([block.mean() for block in np.array_split(np.asarray(values, float), n_blocks)])
    slope, start = np.polyfit(x, y, 1)
    rest = y - (slope * x + start)
    spread = float((rest**2).sum()) / (n_blocks - 2)
    error = (spread / float(((x - x.mean()) ** 2).sum())) ** 0.5
    return Trend(float(slope), float(error))


def settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Without the first tenth: what is first used is allocated once."""
    return samples[len(samples) // 10 :]


def soak_table(samples: Sequence[Sample], rate: float, delivery: str) -> Table:
    """One row for each figure of the worker."""
    kept = settled(samples)
    rows: list[list[Cell]] = []
    for name, unit in _SHOWN:
        values = [float(getattr(s, name)) for s in kept]
        slope = trend([s.at_s for s in kept], values)
        rows.append(
            [
                {"resident_mb": "resident memory"}.get(name, name),
                f"{min(values):,.1f} to {max(values):,.1f} {unit}",
                f"{slope.per_hour:+.2f} ± {slope.error:.2f}",
                "yes" if slope.is_flat else "no",
            ]
        )
    note = (
        f"{samples[-1].at_s / 60:.0f} minutes, {delivery}, {rate:,.0f} messages/s, "
        f"{samples[-1].answered:,} answered; at most {max(s.waiting for s in kept):,} requests "
        "waited. The first tenth is left out."
    )
    return Table(["figure of the worker", "range", "slope, an hour", "flat"], rows, note)


def plot(samples: Sequence[Sample], path: Path) -> None:
    """Draw memory and handles over time, where matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        click.echo("no plot: matplotlib is not installed (pip install matplotlib)")
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    minutes = [s.at_s / 60 for s in samples]
    figure, (memory, handles) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 5))
    for panel, name, label in (
        (memory, "resident_mb", "resident memory, MB"),
        (handles, "handles", "file handles"),
    ):
        values = [getattr(s, name) for s in samples]
        panel.plot(minutes, values)
        panel.set_ylabel(label)
        panel.set_ylim(0, 1.2 * max(values))
    handles.set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path)
    click.echo(f"plot in {path}")
