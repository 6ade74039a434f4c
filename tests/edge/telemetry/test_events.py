"""What a worker tells people."""

import logging
import uuid
from typing import Any

import msgspec
import pytest
from ounce_edge.telemetry.events import Events
from ounce_schemas.event import EventKind, OperationalEvent


class People:
    """Hear everything, on a clock that they set."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.counted: list[tuple[str, EventKind]] = []
        self.records: list[tuple[bytes, bytes, Any]] = []
        self.error: Exception | None = None
        self.events = Events(self, lambda *of: self.counted.append(of), lambda: self.now_s)

    def __call__(self, key: bytes, value: bytes, headers: Any) -> None:
        if self.error is not None:
            raise self.error
        self.records.append((key, value, headers))

    @property
    def texts(self) -> list[str]:
        return [msgspec.json.decode(value)["text"] for _, value, _ in self.records]


def test_an_event_is_a_cloud_event_and_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    people = People()
    people.events.tell(EventKind.MODEL_SUSPENDED, "digits", "mlp", "failed\n3 times")
    [(key, value, headers)] = people.records
    assert msgspec.json.decode(value, type=OperationalEvent) == OperationalEvent(
        EventKind.MODEL_SUSPENDED, "digits", "mlp", "failed\n3 times", 1_000_000
    )
    found = dict(headers)
    uuid.UUID(found.pop("ce_id").decode())
    assert (key, found) == (
        b"digits",
        {
            "ce_specversion": b"1.0",
            "ce_type": b"io.ounce.event",
            "ce_source": b"/ounce/digits",
            "content-type": b"application/json",
        },
    )
    assert [(r.levelno, r.message) for r in caplog.records] == [
        (logging.WARNING, "event=model-suspended task=digits subject=mlp: failed 3 times")
    ]
    assert people.counted == [("digits", EventKind.MODEL_SUSPENDED)]


def test_an_event_that_asks_for_nothing_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        People().events.tell(EventKind.MODEL_RESTORED, "digits", "mlp", "it answers again")
    assert [r.levelno for r in caplog.records] == [logging.INFO]


def test_the_same_is_told_once_a_second_and_counted_between() -> None:
    people = People()
    for step in range(25):
        people.now_s = 1000 + step / 10
        people.events.tell(EventKind.ACCURACY_CHANGED, "digits", "mlp", f"text {step}")
        if step == 3:
            people.events.tell(EventKind.ACCURACY_CHANGED, "bearing", "mlp", "other task")
            people.events.tell(EventKind.ACCURACY_CHANGED, "digits", "cnn", "other plan")
            people.events.tell(EventKind.MODEL_SUSPENDED, "digits", "mlp", "other kind")
    more = "(9 more like it since the last event)"
    assert people.texts == [
        "text 0",
        "other task",
        "other plan",
        "other kind",
        f"text 10 {more}",
        f"text 20 {more}",
    ]
    people.now_s = 500  # a clock that was set back silences nobody
    people.events.tell(EventKind.ACCURACY_CHANGED, "digits", "mlp", "text 25")
    assert len(people.texts) == len(people.counted) == 7


def test_subjects_without_end_are_bounded() -> None:
    people = People()
    for i in range(1000):
        people.events.tell(EventKind.FLOOR_UNREACHABLE, "digits", str(i), "x")
    assert len(people.records) == len(people.events._latest) == 256
    people.now_s += 1
    people.events.tell(EventKind.FLOOR_UNREACHABLE, "digits", "one more", "x")
    assert len(people.events._latest) == 1


def test_what_can_not_be_sent_does_not_reach_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    people = People()
    people.error = RuntimeError("broken")
    people.events.tell(EventKind.MODEL_RESTORED, "digits", "mlp", "answers again")
    assert "an event was not told: model-restored digits mlp" in caplog.text
