"""Finding what a broker refuses: all else is published, once and in order."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st
from ounce_edge.broker.delivery.refusals import Entry, Failures, Refusal, Refusals, entries_of
from ounce_edge.wire.records import Outgoing

from tests.support.edge.outgoing import outgoing

LETTERS = "letters"


class Broker:
    """Refuses all that is published together where one of it is bad.

    Args:
        bad: values that it refuses.
        names_them: whether it says which ones those are.
        takes_letters: whether it takes dead letters.
    """

    def __init__(self, bad: set[bytes], names_them: bool, takes_letters: bool) -> None:
        self._bad = bad
        self._names_them = names_them
        self._takes_letters = takes_letters
        self.taken: list[tuple[str, int]] = []
        """Topic, and offset of the request."""
        self.n_attempts = 0

    def _is_bad(self, entry: Entry) -> bool:
        if entry.of.topic == LETTERS:
            return not self._takes_letters
        return entry.of.values[entry.i] in self._bad

    def attempt(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        self.n_attempts += 1
        assert entries
        if any(map(self._is_bad, entries)):
            return [
                Refusal(entry, "bad", self._names_them and self._is_bad(entry)) for entry in entries
            ]
        self.taken += [(entry.of.topic, entry.request.offset() or 0) for entry in entries]
        return []


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.booleans(), st.booleans())
def test_all_others_are_taken_once_and_in_order_and_each_has_its_letter(
    n: int, bad: set[int], names_them: bool, takes_letters: bool
) -> None:
    bad = {i for i in bad if i < n}
    broker = Broker({b"%d" % i for i in bad}, names_them, takes_letters)
    batch = [outgoing("answers", [b"%d" % i for i in range(n)], requests="r")]
    refused = Refusals({"r": LETTERS}, 10_000).settle(
        broker.attempt(entries_of(batch)), broker.attempt
    )
    expected = [(LETTERS if i in bad else "answers", i) for i in range(n)]
    if not takes_letters:
        expected = [each for each in expected if each[0] != LETTERS]
    assert broker.taken == expected
    assert {of_one.request.offset(): of_one.has_letter for of_one in refused} == dict.fromkeys(
        bad, takes_letters
    )
    assert sorted(set(batch[0].refused)) == sorted(bad)


def test_a_broker_that_names_them_is_asked_twice() -> None:
    broker = Broker({b"3", b"17"}, names_them=True, takes_letters=True)
    batch = [outgoing("answers", [b"%d" % i for i in range(40)], requests="r")]
    Refusals({"r": LETTERS}, 10_000).settle(broker.attempt(entries_of(batch)), broker.attempt)
    assert broker.n_attempts == 2


def failed(of: Outgoing, i: int, code: int) -> tuple[KafkaError, Any]:
    """What a producer reports of an entry."""

    class Failed:
        def topic(self) -> str:
            return of.topic

        def value(self) -> bytes | None:
            return of.values[i]

    return KafkaError(code), Failed()


def test_a_failure_is_found_by_its_value_and_one_of_two_that_are_equal_is_enough() -> None:
    batch = [outgoing("t", [b"a", b"same", b"same"]), outgoing("u", [b"a"])]
    failures = Failures()
    failures.on_delivery(*failed(batch[0], 1, KafkaError.MSG_SIZE_TOO_LARGE))
    failures.on_delivery(*failed(batch[1], 0, KafkaError.MSG_SIZE_TOO_LARGE))
    found = failures.take(batch)
    assert [(refusal.entry.of.topic, refusal.entry.i) for refusal in found] == [("t", 1), ("u", 0)]
    assert not any(refusal.is_alone for refusal in found)
    assert failures.take(batch) == []


def test_where_the_others_are_called_innocent_the_rest_is_to_blame() -> None:
    batch = [outgoing("t", [b"a", b"b"])]
    failures = Failures()
    failures.on_delivery(*failed(batch[0], 0, KafkaError._INVALID_DIFFERENT_RECORD))
    failures.on_delivery(*failed(batch[0], 1, KafkaError.INVALID_RECORD))
    assert [refusal.is_alone for refusal in failures.take(batch)] == [False, True]


def test_what_is_not_about_a_record_ends_the_worker_and_a_purge_does_not() -> None:
    batch = [outgoing("t", [b"a"])]
    failures = Failures()
    failures.on_delivery(*failed(batch[0], 0, KafkaError._PURGE_QUEUE))
    failures.raise_others()
    failures.on_delivery(*failed(batch[0], 0, KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(Exception, match="the broker did not take an answer: t: "):
        failures.raise_others()
    assert cast("list[Any]", failures.take(batch)) == []
