"""What a doctor says of clocks."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_edge.doctor import clocks
from ounce_edge.doctor.clocks import check_clock, probe_clock

DENIED = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
NOW_S = 1000.0


class Newest:
    """The newest record of a partition."""

    def __init__(self, at_s: float, kind: int = 1) -> None:
        self._timestamp = kind, int(at_s * 1e3)

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp


class Admin:
    """Answers with these errors; None: it is done."""

    def __init__(self, create: Exception | None, delete: Exception | None = None) -> None:
        self._errors = {"create": create, "delete": delete}

    def _answer(self, what: str) -> Future[None]:
        answer = Future[None]()
        error = self._errors[what]
        answer.set_result(None) if error is None else answer.set_exception(error)
        return answer

    def create_topics(self, topics: list[Any]) -> dict[str, Future[None]]:
        return {topic.topic: self._answer("create") for topic in topics}

    def delete_topics(self, topics: list[str]) -> dict[str, Future[None]]:
        return {topic: self._answer("delete") for topic in topics}


def probe(admin: Any) -> tuple[str, str]:
    found = probe_clock(admin, {})
    return found.verdict, found.text


def test_a_timestamp_ahead_is_told_with_whose_it_is() -> None:
    found = check_clock([Newest(NOW_S - 9), Newest(NOW_S + 5)], lambda: NOW_S)  # type: ignore[list-item]
    assert (found.verdict, found.text.split(":")[0]) == (
        "warning",
        "a device's clock is 5.0 s ahead of this machine's",
    )
    found = check_clock([Newest(NOW_S + 5, kind=2)], lambda: NOW_S)  # type: ignore[list-item]
    assert "the broker's clock" in found.text
    assert "chronyc" in found.advice
    assert check_clock([Newest(NOW_S)], lambda: NOW_S).verdict == "ok"  # type: ignore[list-item]
    assert check_clock([], lambda: NOW_S).verdict == "skipped"


def test_the_brokers_clock_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_compare", lambda *_: (5000.0, 10.0))
    verdict, text = probe(Admin(None))
    assert (verdict, text) == ("warning", "the broker's is +5,000 ms off this machine's, to 5 ms")
    monkeypatch.setattr(clocks, "_compare", lambda *_: (-900.0, 10.0))
    assert probe(Admin(None))[0] == "ok"


def test_a_probe_that_is_not_permitted_or_not_answered_is_skipped() -> None:
    assert probe(Admin(DENIED))[0] == "skipped"
    assert probe(Admin(TimeoutError())) == (
        "skipped",
        "no topic was made to learn the broker's time: no answer in time",
    )


def test_a_topic_that_can_not_be_removed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_compare", lambda *_: (0.0, 10.0))
    verdict, text = probe(Admin(None, DENIED))
    assert verdict == "warning"
    assert text.startswith("topic ounce.doctor.")
