"""How soon a client gives up a connection on which nothing comes back.

A firewall or a router that forgets a connection tells neither end. The client then waits for its
answer until `socket.timeout.ms` is over, a minute by default: so long answers are not published,
and records not read.
"""

SILENT_MS = 10_000
"""As long as the group waits for a worker by default. A broker that is that slow is asked again,
and takes nothing twice: producers are idempotent."""


def link_settings(fetch_wait_ms: int = 0) -> dict[str, int]:
    """Of any client.

    Args:
        fetch_wait_ms: longest time the broker may hold a fetch of this client.
    """
    return {"socket.timeout.ms": SILENT_MS + fetch_wait_ms}
