"""A panel is a question with the expressions that answer it; a board is some of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Steps = tuple[tuple[float | None, str], ...]
"""Colours of values, each from a value on; the first from None, which is minus infinity."""
PLAIN: Steps = ((None, "blue"),)
NONE_IS_GOOD: Steps = ((None, "green"), (1e-9, "red"))
ONE_IS_GOOD: Steps = ((None, "red"), (1, "green"))
ONE_IS_BAD: Steps = ((None, "green"), (1, "red"))


@dataclass(frozen=True, kw_only=True)
class Question:
    """One panel."""

    title: str
    about: str
    """What the figures are, and what to make of them."""
    asks: Mapping[str, str]
    """Expressions by legend."""
    unit: str
    """As Grafana names units."""
    kind: Literal["lines", "stat", "bars", "table"] = "lines"
    steps: Steps = PLAIN
    alert: str = ""
    """The alert whose runbook says what to do."""
    detail: str = ""
    """The board that a click on a series leads to: its uid behind `ounce-`."""
    width: int = 12
    """Of 24."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard."""

    uid: str
    folder: str
    title: str
    about: str
    questions: tuple[Question, ...]


def rate(metric: str, by: str = "task", match: str = 'task=~"$task"') -> str:
    """Expression for a counter's growth a second.

    Args:
        metric: its name.
        by: labels to keep.
        match: what series to take.
    """
    return f"sum by ({by}) (rate({metric}{{{match}}}[$__rate_interval]))"


def quantile(q: float, metric: str, by: str = "task", match: str = 'task=~"$task"') -> str:
    """Expression for a quantile of a histogram."""
    return f"histogram_quantile({q}, {rate(f'{metric}_bucket', f'le, {by}', match)})"


def mean(metric: str, by: str = "task", match: str = 'task=~"$task"') -> str:
    """Expression for the mean of a histogram."""
    return f"{rate(f'{metric}_sum', by, match)} / {rate(f'{metric}_count', by, match)}"


def restarts(jobs: str) -> str:
    """Expression for the starts of processes within 15 minutes.

    Args:
        jobs: a regular expression of Prometheus' jobs.
    """
    return f'sum by (instance) (changes(process_start_time_seconds{{job=~"{jobs}"}}[15m]))'
