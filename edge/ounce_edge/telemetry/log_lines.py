"""How a process' log is written: a line for each thing, as text or as JSON."""

import json
import logging
import time
from enum import StrEnum


class LogFormat(StrEnum):
    """How lines are written."""

    TEXT = "text"
    JSON = "json"


_MOST_CHARS = 8_000
"""Of one field: a message may quote what came from outside."""
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has; others were given by `extra`."""


class TextLines(logging.Formatter):
    """Time, level, logger and message; what a message quotes breaks no line. A traceback follows on
    lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (its name there)
        """The line, without the traceback."""
        record.message = _one_line(record.message)
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `worker`, `message`; a traceback is
    `exception`; what was given by `extra` stands beside.

    Args:
        name: of the process.
        role: what it is, such as `worker`.
    """

    def __init__(self, name: str, role: str = "worker") -> None:
        super().__init__()
        self._name, self._role = name, role

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, object] = {
            "at": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            self._role: self._name,
            "message": record.getMessage()[:_MOST_CHARS],
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)[-_MOST_CHARS:]
        fields |= {
            name: value if isinstance(value, bool | int | float) else str(value)[:_MOST_CHARS]
            for name, value in vars(record).items()
            if name not in _OWN and name not in fields
        }
        return json.dumps(fields, ensure_ascii=False)


def formatter_of(log_format: LogFormat, name: str, role: str = "worker") -> logging.Formatter:
    """The formatter that is set, of a process of this name and role."""
    return JsonLines(name, role) if log_format is LogFormat.JSON else TextLines()


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
