"""Headers' names as other libraries and bindings write them."""

from functools import lru_cache


def with_usual_names(headers: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """The headers by the names that have a meaning here. A name that is right as it is counts
    before one in another case, or with the marks of another binding."""
    return {**{_usual_name(name): value for name, value in headers.items()}, **headers}


@lru_cache(maxsize=1024)
def _usual_name(name: str) -> str:
    """`Content-Type`, `content_type`; `CE_ID`, `ce-id`, `cloudEvents:id`."""
    low = name.lower().replace("_", "-")
    for mark in ("ce-", "cloudevents-", "cloudevents:"):
        if low.startswith(mark):
            return "ce_" + low[len(mark) :]
    return low
