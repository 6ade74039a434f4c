"""A worker's log lines."""

import json
import logging
from typing import Any

import pytest
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.log_lines import JsonLines, LogFormat, TextLines, formatter_of
from ounce_schemas.event import EventKind

HOSTILE = 'a"b\nERROR ounce: forged\r\x1b[2J\u2028'


def record(text: str, *args: Any, **more: Any) -> logging.LogRecord:
    logger = logging.getLogger("ounce_edge.test")
    extra = more.pop("extra", None)
    return logger.makeRecord(
        logger.name, logging.WARNING, "f", 1, text, args, more.get("exc_info"), extra=extra
    )


def test_a_line_of_json_has_fields_and_no_break() -> None:
    line = JsonLines("w-1").format(record("took %s", HOSTILE, extra={"task": "digits", "n": 3}))
    assert "\n" not in line
    found = json.loads(line)
    at = found.pop("at")
    assert len(at) == 24
    assert at.endswith("Z")
    assert found == {
        "level": "WARNING",
        "logger": "ounce_edge.test",
        "worker": "w-1",
        "message": f"took {HOSTILE}",
        "task": "digits",
        "n": 3,
    }


def test_a_line_of_text_is_not_broken_by_what_it_quotes() -> None:
    line = TextLines().format(record("took %s", HOSTILE))
    assert len(line.splitlines()) == 1
    assert line.endswith(r'ounce_edge.test: took a"b\nERROR ounce: forged\r\x1b[2J\u2028')


def test_a_traceback_is_one_field_or_lines_below() -> None:
    try:
        raise ValueError("no")
    except ValueError as e:
        failed = record("failed", exc_info=(type(e), e, e.__traceback__))
    line = JsonLines("w").format(failed)
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: no")
    assert TextLines().format(failed).splitlines()[-1] == "ValueError: no"


def test_a_field_is_bounded() -> None:
    found = json.loads(JsonLines("w").format(record("x" * 100_000, extra={"y": "y" * 100_000})))
    assert len(found["message"]) == len(found["y"]) == 8000


def test_extra_does_not_forge_a_field() -> None:
    found = json.loads(JsonLines("w").format(record("x", extra={"worker": "z", "level": "z"})))
    assert (found["worker"], found["level"]) == ("w", "WARNING")


def test_an_event_is_one_line_with_its_subject(caplog: pytest.LogCaptureFixture) -> None:
    events = Events(lambda *_: None, lambda *_: None)
    with caplog.at_level(logging.WARNING):
        events.tell(EventKind.MODEL_SUSPENDED, "digits", "mlp", "too slow:\nten times")
    (told,) = caplog.records
    found = json.loads(formatter_of(LogFormat.JSON, "w").format(told))
    assert (found["event"], found["task"], found["subject"]) == ("model-suspended", "digits", "mlp")
    assert "too slow: ten times" in found["message"]
    assert isinstance(formatter_of(LogFormat.TEXT, "w"), TextLines)
