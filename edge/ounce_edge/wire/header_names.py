"""Headers' names as other libraries and bindings write them."""

from collections.abc import Mapping
from typing import Any

from ounce_schemas.request import (
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    HEADER_TENANT,
    HEADER_TRACEPARENT,
)

from ounce_edge.wire.records import Headers
from ounce_edge.wire.remembered import Remembered

NamedHeaders = dict[str, bytes | None]
_OFTEN = frozenset(
    {
        HEADER_ID, HEADER_SOURCE, HEADER_CONTENT_TYPE, HEADER_MAX_LATENCY_MS, HEADER_MIN_ACCURACY,
        HEADER_TRACEPARENT, HEADER_TENANT, "ce_specversion", "ce_type", "ce_time",
        "ce_datacontenttype", "ce_subject", "ce_partitionkey",
    }
)  # fmt: skip
"""Usual names that most messages have no others than; one look tells."""
_UNMARKED = (HEADER_TRACEPARENT, "tracestate")


def by_usual_names(headers: Headers | None) -> NamedHeaders:
    """The headers by the names that have a meaning here. A name that is right as it is counts
    before one in another case, or with the marks of another binding."""
    found = dict(headers or ())
    if not _OFTEN.issuperset(found) and any(_USUAL_NAMES[name] != name for name in found):
        return {**{_USUAL_NAMES[name]: value for name, value in found.items()}, **found}
    return found


def _usual_name(name: str) -> str:
    """`Content-Type`, `content_type`; `CE_ID`, `ce-id`, `cloudEvents:id`."""
    low = name.lower().replace("_", "-")
    for mark in ("ce-", "cloudevents-", "cloudevents:"):
        if low.startswith(mark):
            return "ce_" + low[len(mark) :]
    return low


_USUAL_NAMES = Remembered(_usual_name)


def as_headers(attributes: Mapping[str, Any]) -> list[tuple[str, bytes | None]]:
    """Attributes of a CloudEvent in structured mode as the headers that say the same.

    Args:
        attributes: JSON values by name, without the mark `ce_`.
    """
    return [
        (name if name in _UNMARKED else f"ce_{name}", _as_text(value).encode())
        for name, value in attributes.items()
        if isinstance(value, str | int | float)
    ]


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
