"""How stored records go, one batch after another, on a producer that a test plays."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ounce_edge.gateway import backlog as room
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.pace import Pace
from ounce_edge.gateway.store import Store
from ounce_edge.gateway.store_group import StoreGroup
from ounce_schemas.errors import BrokerError

from tests.edge.gateway.fake_kafka import FakeKafka
from tests.support.edge.backlogs import send_all
from tests.support.process.wait import wait_until


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    fake = FakeKafka()
    monkeypatch.setattr(room, "TransactionalProducer", fake.producer)
    monkeypatch.setattr(room, "_PAUSE_S", 0.01)
    monkeypatch.setattr(StoreGroup, "metadata", lambda _: None)
    monkeypatch.setattr(StoreGroup, "committed", lambda _: fake.committed)
    return fake


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    yield made
    made.close()


def run(
    store: Store,
    second_try: Callable[[KafkaRecord, str], KafkaRecord | None],
    first: Sequence[bytes] = (),
    per_s: float = 50,
) -> None:
    """Until all is sent."""
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, per_s, lambda _: None, second_try)
    for device in first:
        backlog.hurry(device)
    send_all(backlog, store)


def record(value: bytes, device: bytes = b"d", topic: str = "t") -> KafkaRecord:
    return KafkaRecord(topic, device, value, [], 5)


def never(_: KafkaRecord, why: str) -> KafkaRecord | None:
    raise AssertionError(why)


def gives_up(_: KafkaRecord, why: str) -> None:
    """Nothing helps."""


def test_a_record_that_is_refused_holds_up_no_other_and_keeps_its_place(
    kafka: FakeKafka, store: Store
) -> None:
    store.add([record(value) for value in (b"1", b"2", b"bad", b"3", b"4", b"5", b"6")])
    run(store, lambda bad, _: bad._replace(value=b"good"))
    assert kafka.taken == [b"1", b"2", b"good", b"3", b"4", b"5", b"6"]


def test_what_nothing_helps_is_dropped_alone(kafka: FakeKafka, store: Store) -> None:
    told: list[str] = []

    def drop(_: KafkaRecord, why: str) -> None:
        told.append(why)

    store.add([record(value) for value in (b"1", b"bad", b"2")])
    run(store, drop)
    assert kafka.taken == [b"1", b"2"]
    assert told == ["Invalid record"]


def test_an_aborted_batch_is_sent_again_and_a_taken_one_is_not(
    kafka: FakeKafka, store: Store
) -> None:
    kafka.fails = ["aborted", "silent", "", "silent"]
    store.add([record(b"%d" % i) for i in range(20)])
    run(store, never)
    assert kafka.taken == [b"%d" % i for i in range(20)]


def test_what_nobody_foresaw_is_told_and_tried_again(
    kafka: FakeKafka, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.fails = ["odd"]
    store.add([record(b"1")])
    run(store, never)
    assert kafka.taken == [b"1"]
    assert "stored messages are not sent: nobody foresaw this" in caplog.text


def test_a_first_transaction_that_is_aborted_is_told_in_one_line(
    kafka: FakeKafka, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.fails = ["first"]
    store.add([record(b"1")])
    run(store, never)
    [told] = [(r.getMessage(), r.exc_info) for r in caplog.records]
    assert told == ("stored messages are not sent: a transaction was aborted: first", False)


def test_where_all_topics_are_absent_the_trouble_names_them(kafka: FakeKafka, store: Store) -> None:
    store.add([record(b"1")])
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 50, lambda _: None, never)
    backlog.aside.absent = ["t"]
    backlog.start()
    backlog.allow(True)
    told = "stored messages are not sent: t: absent, make it with `ounce topics`"
    try:
        wait_until(lambda: backlog.trouble == told, lambda: backlog.trouble)
    finally:
        backlog.close()
    assert kafka.taken == []


def test_the_first_transaction_on_a_line_takes_no_records(kafka: FakeKafka, store: Store) -> None:
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 50, lambda _: None, never)
    backlog.start()
    backlog.allow(True)
    try:
        wait_until(lambda: kafka.tried == [0], lambda: backlog.trouble)
        store.add([record(b"1")])
        wait_until(lambda: not len(store), lambda: backlog.trouble)
        backlog.allow(False)
        store.add([record(b"2")])
        backlog.allow(True)
        wait_until(lambda: not len(store), lambda: backlog.trouble)
    finally:
        backlog.close()
    assert kafka.tried == [0, 1]  # it says again what Kafka has, and no more
    assert kafka.committed == 2


def test_a_kafka_that_takes_no_transactions_is_told_before_anything_is_stored(
    kafka: FakeKafka, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: StoreGroup) -> None:
        raise BrokerError("no right to begin")

    monkeypatch.setattr(StoreGroup, "metadata", denied)
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 50, lambda _: None, never)
    backlog.start()
    backlog.allow(True)
    try:
        wait_until(
            lambda: backlog.trouble == "none could be sent if stored: no right to begin",
            lambda: backlog.trouble,
        )
        monkeypatch.setattr(StoreGroup, "metadata", lambda _: None)
        wait_until(lambda: backlog.trouble is None, lambda: backlog.trouble)
    finally:
        backlog.close()


def test_devices_that_wait_go_first_in_their_order(kafka: FakeKafka, store: Store) -> None:
    store.add([record(b"%d" % i, b"ab"[i % 2 : i % 2 + 1]) for i in range(12)])
    run(store, never, [b"b"])
    assert kafka.taken[:5] == [b"1", b"3", b"5", b"7", b"9"]
    assert [v for v in kafka.taken if int(v) % 2] == [b"1", b"3", b"5", b"7", b"9", b"11"]
    assert [v for v in kafka.taken if not int(v) % 2] == [b"0", b"2", b"4", b"6", b"8", b"10"]


def test_what_is_stored_in_doubt_while_the_producer_is_made_waits(
    kafka: FakeKafka, store: Store
) -> None:
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 50, lambda _: None, never)
    backlog.allow(True)
    store.add([record(b"1")])
    producer = backlog._ready_producer()
    backlog.allow(False)
    store.add([record(b"in doubt")])
    backlog._send_next(producer, 5)
    assert kafka.taken == []
    backlog.allow(True)
    backlog._send_next(producer, 5)
    assert kafka.taken == [b"1", b"in doubt"]
    assert len(store) == 0


def test_one_of_many_that_is_refused_is_found_by_halves(kafka: FakeKafka, store: Store) -> None:
    values = [b"%d" % i for i in range(200)]
    values[150] = b"bad"
    store.add([record(value) for value in values])
    n_before = kafka.n_asked
    run(store, lambda bad, _: bad._replace(value=b"good"), per_s=2000)
    values[150] = b"good"
    assert kafka.taken == values
    assert kafka.n_asked - n_before < 60


def test_a_device_in_a_hurry_does_not_wait_for_the_next_ones_turn(
    kafka: FakeKafka, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "due", lambda *_: 0)
    monkeypatch.setattr(Pace, "wait_s", lambda *_: 3600.0)
    store.add([record(b"%d" % i, b"ab"[i % 2 : i % 2 + 1]) for i in range(6)])
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 50, lambda _: None, never)
    backlog.start()
    backlog.allow(True)
    try:
        backlog.hurry(b"b")
        wait_until(lambda: kafka.taken == [b"1", b"3", b"5"], lambda: backlog.trouble)
    finally:
        backlog.close()
    assert len(store) == 3


def test_a_topic_that_takes_nothing_holds_up_no_other(kafka: FakeKafka, store: Store) -> None:
    kafka.denied = "a"
    store.add([record(b"%d" % i, topic="abc"[i % 3]) for i in range(30)])
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 1000, lambda _: None, never)
    backlog.start()
    backlog.allow(True)
    try:
        wait_until(lambda: len(store) == 10, lambda: (backlog.trouble, kafka.taken))
        assert store.topics() == ["a"]
        kafka.denied = ""
        wait_until(lambda: not len(store), lambda: backlog.trouble)
    finally:
        backlog.close()
    assert [v for v in kafka.taken if int(v) % 3 == 0] == [b"%d" % i for i in range(0, 30, 3)]


def test_a_backlog_of_absent_topics_alone_writes_nothing_and_does_not_spin(
    kafka: FakeKafka, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind a record that was refused, and with a device in a hurry."""
    values = [b"%d" % i for i in range(4)]
    store.add([record(b"bad", topic="a"), record(b"1", topic="a")])
    store.add([record(value, b"z", topic="b") for value in values])
    waits_s: list[float] = []
    backlog = Backlog({"bootstrap.servers": "x:1"}, ["t"], store, 5000, lambda _: None, gives_up)
    backlog.aside.absent = ["b"]
    wait = backlog._woken.wait
    monkeypatch.setattr(backlog._woken, "wait", lambda s: (waits_s.append(s), wait(min(s, 0.01))))
    backlog.start()
    backlog.allow(True)
    try:
        wait_until(lambda: kafka.taken == [b"1"], lambda: backlog.trouble)
        n_seen = len(waits_s)
        wait_until(lambda: len(waits_s) > n_seen + 1, lambda: backlog.trouble)
        n_batches, n_seen = store._batch, len(waits_s)
        backlog.hurry(b"z")
        wait_until(lambda: len(waits_s) > n_seen + 4, lambda: backlog.trouble)
        assert max(waits_s[n_seen + 2 : n_seen + 4]) > 0
        assert store._batch == n_batches
        backlog.aside.absent = []
        wait_until(lambda: not len(store), lambda: backlog.trouble)
    finally:
        backlog.close()
    assert kafka.taken[1:] == values
