"""What TensorRT says of errors."""

import logging
import re
import threading
from collections.abc import Sequence
from typing import Any

logger = logging.getLogger(__name__)

_MOST_CHARACTERS = 200
_MOST_LINES = 100
_NO_ROOM = re.compile("out ?of ?memory", re.IGNORECASE)
"""In words, since no answer of its Python bindings has a code."""

_logs: dict[int, Any] = {}


def log_of(trt: Any) -> Any:
    """The one log of a process, since TensorRT keeps the first that it is given. `lines` has the
    last errors of the thread that asks: models load beside calls, and each is told its own reason.
    """
    log = _logs.get(id(trt))
    if log is None:

        class Log(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)
                self._lines: dict[int, list[str]] = {}
                """By thread."""

            @property
            def lines(self) -> list[str]:
                return self._lines.setdefault(threading.get_ident(), [])

            def log(self, severity: Any, message: str) -> None:
                if severity not in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                    return
                logger.info("%s", message)
                own = self._lines.get(threading.get_ident())
                # A thread of TensorRT itself works for any of ours.
                for lines in list(self._lines.values()) if own is None else [own]:
                    lines.append(message)
                    del lines[:-_MOST_LINES]

        log = _logs[id(trt)] = Log()
    return log


def first_line(lines: Sequence[str]) -> str:
    """What went wrong first. Where a call fails, the lines behind it say so in general."""
    return short(lines[0]) if lines else "it gives no reason"


def last_line(lines: Sequence[str]) -> str:
    """What went wrong last. A build goes on after some errors."""
    return first_line(lines[-1:])


def tells_no_room(lines: Sequence[str]) -> bool:
    """Whether the GPU had too little memory left."""
    return any(_NO_ROOM.search(line) for line in lines)


def short(text: str) -> str:
    """On one line, and not too long."""
    return " ".join(str(text).split())[:_MOST_CHARACTERS]
