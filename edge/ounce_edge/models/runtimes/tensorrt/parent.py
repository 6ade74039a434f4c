"""A process that ends with the one that started it."""

import os
import sys
import threading


def end_with_parent() -> None:
    """End once the process that started this one is gone, also where it was killed: it holds the
    other end of standard input, and writes nothing."""

    def watch() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
