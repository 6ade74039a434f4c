"""Sending all that a gateway has stored."""

from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.store import Store

from tests.support.process.wait import wait_until


def send_all(backlog: Backlog, store: Store) -> None:
    """Start a backlog, wait until its store is empty, and close it."""
    backlog.start()
    backlog.allow(True)
    try:
        wait_until(lambda: not len(store), lambda: backlog.trouble)
    finally:
        backlog.close()
