"""Whether this machine's clock can be right: many boards begin at 1970."""

from datetime import UTC, datetime

_LEAST = datetime(2026, 1, 1, tzinfo=UTC)
"""This program is younger."""


def clock_trouble(now_s: float) -> str | None:
    """What is wrong with a time, in seconds since 1970; None where it can be right."""
    now = datetime.fromtimestamp(now_s, UTC)
    if now >= _LEAST:
        return None
    return (
        f"this machine's clock says {now:%Y-%m-%d}: set it, since Kafka drops records of a time "
        "that is older than the topic's retention.ms, read or not"
    )
