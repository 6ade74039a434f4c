"""What TensorRT says of errors."""

from collections.abc import Sequence
from typing import Any

_MOST_CHARACTERS = 200
_MOST_LINES = 100

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


def last_line(lines: Sequence[str]) -> str:
    """What went wrong last."""
    return short(lines[-1]) if lines else "it gives no reason"


def short(text: str) -> str:
    """On one line, and not too long."""
    return " ".join(str(text).split())[:_MOST_CHARACTERS]
