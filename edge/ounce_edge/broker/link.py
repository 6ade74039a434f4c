"""How soon a client gives up a connection on which nothing comes back.

A firewall or a router that forgets a connection tells neither end. The client then waits for its
answer until `socket.timeout.ms` is over, a minute by default: so long answers are not published,
and records not read. What is under way at once has to pass a slow line within that time. Otherwise
it is sent again from the beginning, for ever.
"""

SILENT_MS = 10_000
"""As long as the group waits for a worker by default. A broker that is that slow is asked again,
and takes nothing twice: producers are idempotent."""
MOST_FETCHED_BYTES = 1_000_000
"""Of one answer to a reader; a line of 1 Mbit/s carries them in 8 s."""
_BATCH_BYTES = 100_000
"""Of one request of a writer. Five are under way at once, and as many wait behind them."""


def link_settings(fetch_wait_ms: int = 0) -> dict[str, int]:
    """Of any client.

    Args:
        fetch_wait_ms: longest time the broker may hold a fetch of this client.
    """
    return {"socket.timeout.ms": SILENT_MS + fetch_wait_ms}


def reader_settings(fetch_wait_ms: int) -> dict[str, int]:
    """Of a consumer; arguments as of `link_settings`."""
    return {
        **link_settings(fetch_wait_ms),
        "fetch.wait.max.ms": fetch_wait_ms,
        "fetch.max.bytes": MOST_FETCHED_BYTES,
    }


def writer_settings() -> dict[str, int]:
    """Of a producer."""
    return {**link_settings(), "batch.size": _BATCH_BYTES}
