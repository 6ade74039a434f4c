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


def unreadable(job: str, files: str, ready: str) -> Question:
    """How many files of certificates the processes of a job can't read.

    Args:
        job: in Prometheus.
        files: which these are, a sentence.
        ready: metric that each of these processes has.
    """
    expiry = f'ounce_certificate_expiry_timestamp_seconds{{job="{job}"}}'
    return Question(
        title="How many certificates can't be read?",
        about=f"{files} 0 is good.",
        asks={  # where a file can't be read its expiry is no number: not equal to itself
            "{{instance}}": f"sum by (instance) ({expiry} != bool {expiry}) "
            f"or max by (instance) (0 * {ready})"
        },
        alert="OunceCertificateUnreadable",
        unit="none",
        steps=ONE_IS_BAD,
    )


def restarts(jobs: str) -> str:
    """Expression for the starts of processes within 15 minutes.

    Args:
        jobs: a regular expression of Prometheus' jobs.
    """
    return f'sum by (instance) (changes(process_start_time_seconds{{job=~"{jobs}"}}[15m]))'
