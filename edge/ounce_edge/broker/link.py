"""How soon a client gives up a connection on which nothing comes back.

A firewall or a router that forgets a connection tells neither end. The client then waits for its
answer until `socket.timeout.ms` is over, a minute by default: so long answers are not published,
and records not read. What is under way at once has to pass a slow line within that time. Otherwise
it is sent again from the beginning, for ever.
"""

SILENT_MS = 10_000
"""As long as the group waits for a worker by default. A broker that is that slow is asked again,
and takes nothing twice: producers are idempotent."""
_FETCHED_BYTES = 500_000
"""Of one answer to the reader of requests. A line of 1 Mbit/s carries them in 8 s also where labels
take half of it."""
_FETCHED_BESIDE_BYTES = 100_000
"""Of one answer to any other reader."""
_BATCH_BYTES = 100_000
"""Of one request of a writer. Five are under way at once, and as many wait behind them."""


def link_settings(fetch_wait_ms: int = 0) -> dict[str, int]:
    """Of any client.

    Args:
        fetch_wait_ms: longest time the broker may hold a fetch of this client.
    """
    return {"socket.timeout.ms": SILENT_MS + fetch_wait_ms}


def reader_settings(fetch_wait_ms: int) -> dict[str, int]:
    """Of a consumer beside that of the requests; arguments as of `link_settings`."""
    return {
        **link_settings(fetch_wait_ms),
        "fetch.wait.max.ms": fetch_wait_ms,
        **fetch_settings(_FETCHED_BESIDE_BYTES),
    }


def fetch_settings(most_bytes: int = _FETCHED_BYTES) -> dict[str, int]:
    """Of a consumer of requests, or of one that reads fewer bytes at once. A larger record comes
    all the same, alone."""
    # A reader takes no notice of the second one, and yet it may not be the larger one.
    return {"fetch.max.bytes": most_bytes, "message.max.bytes": most_bytes}


def writer_settings() -> dict[str, int]:
    """Of a producer."""
    return {**link_settings(), "batch.size": _BATCH_BYTES}
