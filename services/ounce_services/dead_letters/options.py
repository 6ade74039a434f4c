"""What the command line says, as values."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.task import TaskName
from pydantic import BaseModel, Field

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d+)?)([smhd])")


class TopicSettings(KafkaConnection):
    """Whose dead letters, and where."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )


class TaskArgument(BaseModel):
    """The task that is named."""

    task: TaskName


def parse_since_ms(text: str, now_s: float | None = None) -> int:
    """Milliseconds since 1970 of a duration before now (`10m`) or an ISO 8601 time (without an
    offset: UTC).

    Raises:
        ValueError: it is neither.
    """
    duration = _DURATION.fullmatch(text)
    if duration is not None:
        now_s = time.time() if now_s is None else now_s
        return int((now_s - float(duration[1]) * _SECONDS[duration[2]]) * 1e3)
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e3)
    except (ValueError, OverflowError) as e:
        raise ValueError(
            f"{text!r} is neither a duration such as 10m (s, m, h, d) nor an ISO time such as "
            "2026-11-24T12:00Z"
        ) from e


def parse_header(text: str) -> tuple[str, str]:
    """Read NAME=VALUE.

    Raises:
        ValueError: it is not that.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, value


def parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback: what was given, read by `parse`, whose ValueErrors are wrong usage."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(map(parse, value))
            return None if value is None else parse(value)
        except ValueError as e:
            raise click.BadParameter(str(e), ctx, param) from e

    return callback
