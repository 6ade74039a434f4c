"""A client's complaint is told now and then, and never hides another one."""

import logging
import time
from typing import Any

import pytest
from confluent_kafka import Consumer
from ounce_edge.broker.client_log import EVERY_S, RepetitionFilter


class Told(logging.Handler):
    """Keeps what passes."""

    def __init__(self, clock: Any = time.monotonic) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.addFilter(RepetitionFilter(clock))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def logger() -> logging.Logger:
    own = logging.Logger("client")
    own.propagate = False
    return own


def test_what_is_said_again_is_counted_and_told_later(logger: logging.Logger) -> None:
    now_s = 0.0
    told = Told(lambda: now_s)
    logger.addHandler(told)

    def say(text: str, client: str = "one") -> None:
        logger.error("%s [%s] %s", "FAIL", client, text)

    for _ in range(3):
        say("refused after 5 ms")
    say("refused after 17 ms")
    say("timed out")
    say("refused after 5 ms", "two")
    logger.error("ours")
    logger.error("ours")
    logger.error("%s of %s: %s", "a", "b", "c")
    logger.error("%s of %s: %s", "a", "b", "c")
    now_s = EVERY_S
    say("refused after 9 ms")
    say("refused after 9 ms")
    assert told.texts == [
        "FAIL [one] refused after 5 ms",
        "FAIL [one] timed out",
        "FAIL [two] refused after 5 ms",
        "ours",
        "ours",
        "a of b: c",
        "a of b: c",
        "FAIL [one] refused after 9 ms (and 3 times before this)",
    ]


def test_a_client_that_finds_no_broker_says_so_once(logger: logging.Logger) -> None:
    told, all_of_it = Told(), Told()
    all_of_it.filters.clear()
    for handler in (all_of_it, told):
        logger.addHandler(handler)
    client = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "x"}, logger=logger)
    deadline_s = time.monotonic() + 90
    while len(all_of_it.texts) < 5 and time.monotonic() < deadline_s:
        client.poll(0.1)
    client.close()
    assert len(all_of_it.texts) >= 5
    assert len(told.texts) == 1
    assert "FAIL" in told.texts[0]
