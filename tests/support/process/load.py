"""Requests that come all the time while a test does something else."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.process.worker import Device

WAIT_S = 30.0


@contextmanager
def load(device: Device, values: list[bytes]) -> Iterator[list[int]]:
    """Sends 200 requests a second meanwhile; their number so far is the list's one entry."""
    stop, sent = threading.Event(), [0]

    def send() -> None:
        while not stop.wait(0.005):
            value = values[sent[0] % len(values)]
            device.send(value, [("ce_id", b"%d" % sent[0]), ("ce_minaccuracy", b"0.5")])
            sent[0] += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()
        device.flush()


def read_until(device: Device, done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline, what
        device.read_more()


def rename(folder: Path, name: str) -> None:
    """Make another model of a copied one."""
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"model": name}))
