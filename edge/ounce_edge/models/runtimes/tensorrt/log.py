"""What TensorRT says of errors."""

import re
from collections.abc import Sequence
from typing import Any

_MOST_CHARACTERS = 200
_MOST_LINES = 100
_NO_ROOM = re.compile("out ?of ?memory", re.IGNORECASE)
"""In words, since no answer of its Python bindings has a code."""

_logs: dict[int, Any] = {}


def log_of(trt: Any) -> Any:
    """The one log of a process, since TensorRT keeps the first that it is given. `lines` has its
    last errors."""
    log = _logs.get(id(trt))
    if log is None:

        class Log(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)
                self.lines: list[str] = []

            def log(self, severity: Any, message: str) -> None:
                if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                    self.lines.append(message)
                    del self.lines[:-_MOST_LINES]

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
