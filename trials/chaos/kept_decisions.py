"""All that a worker records of its decisions, also what it removes to keep to its bound."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_S = 0.2
"""A file takes seconds to fill, and is removed two files later."""


@contextmanager
def keep_decisions(recorded: Path, kept: Path) -> Iterator[None]:
    """Give each file of a worker's log a second name, as long as the context lasts.

    Args:
        recorded: folder that the worker records in.
        kept: folder for the second names, on the same file system; it is made.
    """
    kept.mkdir()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_S):
            _link(recorded, kept)

    thread = threading.Thread(target=look, name="kept-decisions")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _link(recorded, kept)


def _link(recorded: Path, kept: Path) -> None:
    for path in recorded.glob("*"):
        copy = kept / path.name
        if not copy.exists():
            try:
                os.link(path, copy)
            except FileNotFoundError:  # removed meanwhile; who reads the log will miss it
                continue
