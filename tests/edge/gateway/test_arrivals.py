"""From messages to records."""

import pytest
from ounce_edge.gateway.arrivals import Arrived, Refused, Translator
from ounce_edge.gateway.maps import TopicMap, TopicMaps
from ounce_edge.gateway.patterns import Pattern, Place
from ounce_edge.gateway.replies import BadReplyError, Reply, ReplyAddress
from ounce_schemas.dead_letter import HEADER_OMITTED, HEADER_REASON
from ounce_schemas.request import HEADER_REPLY
from ounce_schemas.topic_maps import MapKind, MapRule

MAPS = TopicMaps([TopicMap.parse("sensors/+device/+task")], ["digits"])
D1 = Place("digits", "d1")


def address(*permitted: str, group: str = "g") -> ReplyAddress:
    patterns = [Pattern.parse(text) for text in permitted or ("answers/+device/#",)]
    return ReplyAddress(group, Pattern.parse("answers/+device/+task"), patterns, MAPS)


def translator(max_message_bytes: int = 1_000_000) -> Translator:
    return Translator(MAPS, address(), max_message_bytes)


def arrived(
    topic: str | None = "sensors/d1/digits", payload: bytes = b"x", **more: object
) -> Arrived:
    return Arrived(topic, payload, 1_700_000_000_123, qos=1, **more)  # type: ignore[arg-type]


def test_a_record_has_the_device_as_key_and_the_time_of_arrival() -> None:
    record = translator().translate(arrived(payload=b"\xff\x00")).record
    assert record is not None
    assert record.topic == "ounce.digits.requests"
    assert (record.key, record.value) == (b"d1", b"\xff\x00")
    assert record.timestamp_ms == 1_700_000_000_123
    reply = address().read(dict(record.headers)[HEADER_REPLY] or b"")
    assert reply == Reply("answers/d1/digits")


def headers_of(properties: list[tuple[str, str]]) -> dict[str, bytes | str | None]:
    record = translator().translate(arrived(properties=properties)).record
    assert record is not None
    return dict(record.headers)


def test_attributes_of_an_event_get_their_mark_and_others_stay() -> None:
    event = headers_of([("specversion", "1.0"), ("id", "7"), ("traceparent", "00-1-2-3")])
    assert event["ce_id"] == b"7"
    assert event["traceparent"] == b"00-1-2-3"
    event = headers_of([("specversion", "1.0"), ("ounce-answer", "flat"), ("ce_minaccuracy", "1")])
    assert (event["ounce-answer"], event["ce_minaccuracy"]) == (b"flat", b"1")
    plain = headers_of([("ce_id", "7"), ("room", "9")])
    assert (plain["ce_id"], plain["room"]) == (b"7", b"9")


def test_a_device_can_not_say_where_others_hear_its_answer() -> None:
    forged = [(HEADER_REPLY, '["g","answers/d2/digits",null]')]
    record = translator().translate(arrived(properties=forged)).record
    assert record is not None
    (header,) = [value for name, value in record.headers if name == HEADER_REPLY]
    assert address().read(header or b"") == Reply("answers/d1/digits")


def test_a_response_topic_comes_back_with_its_correlation_data() -> None:
    found = translator().translate(arrived(response_topic="answers/d1/a", correlation=b"\x00\xff"))
    assert found.refused is None
    assert found.record is not None
    header = dict(found.record.headers)[HEADER_REPLY]
    assert address().read(header or b"") == Reply("answers/d1/a", b"\x00\xff")


@pytest.mark.parametrize(
    "topic",
    ["answers/d2/a", "$SYS/x", "answers/d1/#", "answers/d1/\x00", "", "other", "a" * 70_000],
)
def test_a_response_topic_that_is_not_its_own_is_not_used(topic: str) -> None:
    found = translator().translate(arrived(response_topic=topic))
    assert found.refused is Refused.BAD_REPLY
    assert found.record is not None
    header = dict(found.record.headers)[HEADER_REPLY]
    assert address().read(header or b"") == Reply("answers/d1/digits")


def test_an_answer_never_goes_where_requests_come_from() -> None:
    with pytest.raises(BadReplyError, match="one of requests"):
        address("#").asked(D1, "sensors/d1/digits", None)


def test_an_address_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadReplyError, match="of 512"):
        address().asked(D1, "answers/d1/a", bytes(400))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[",
        b"\xff",
        b'["g"]',
        b'["other","answers/d1/a",null]',
        b'["g","answers/#",null]',
        b'["g","sensors/d1/digits",null]',
        b'["g","answers/d1/a","no base 64!"]',
        b"[" * 100_000,
    ],
)
def test_an_address_of_others_is_not_read(header: bytes) -> None:
    assert address().read(header) is None


@pytest.mark.parametrize("topic", [None, "sensors/d1/others", "elsewhere"])
def test_a_topic_without_a_task_goes_nowhere(topic: str | None) -> None:
    found = translator().translate(arrived(topic))
    assert (found.record, found.refused) == (None, Refused.BAD_TOPIC)


def test_what_the_broker_kept_goes_nowhere() -> None:
    found = translator().translate(arrived(is_retained=True))
    assert (found.record, found.refused) == (None, Refused.RETAINED)


def test_a_message_of_16_mb_becomes_a_letter_without_it() -> None:
    found = translator().translate(arrived(payload=bytes(16_000_000)))
    assert found.refused is Refused.TOO_LARGE
    assert found.record is not None
    headers = dict(found.record.headers)
    assert found.record.topic == "ounce.digits.dead-letters"
    assert (found.record.key, found.record.value) == (b"d1", None)
    assert headers[HEADER_REASON] == b"too-large"
    assert headers[HEADER_OMITTED] == b"value"
    assert address().read(headers[HEADER_REPLY] or b"") == Reply("answers/d1/digits")
    assert found.record.size_bytes < 10_000


def test_what_kafka_refuses_goes_without_its_time_then_as_a_letter_then_nowhere() -> None:
    one = translator()
    record = one.translate(arrived(payload=bytes(9000))).record
    assert record is not None
    second = one.second_try(record, "Invalid timestamp")
    assert second == record._replace(timestamp_ms=1)
    third = one.second_try(second, "too large")
    assert third is not None
    assert third.topic == "ounce.digits.dead-letters"
    assert third.value is None
    assert address().read(dict(third.headers)[HEADER_REPLY] or b"") == Reply("answers/d1/digits")
    assert one.second_try(third, "no") is None


def test_properties_without_end_become_a_letter_without_them() -> None:
    found = translator().translate(arrived(properties=[("a", "b" * 1000)] * 20))
    assert found.refused is Refused.BAD_PROPERTIES
    assert found.record is not None
    headers = dict(found.record.headers)
    assert "a" not in headers
    assert headers[HEADER_REASON] == b"bad-header"
    assert found.record.value == b"x"


LABELLED = TopicMaps(
    [
        TopicMap.parse("sensors/+device/+task"),
        TopicMap.parse("truth/+device/+task", MapKind.LABELS),
    ],
    ["digits"],
)


def test_a_label_goes_to_the_topic_of_labels_with_its_device_and_id() -> None:
    label = arrived("truth/d1/digits", b'{"label": "7"}', properties=[("ce_id", "r-1")])
    record = Translator(LABELLED, address(), 10**6).translate(label).record
    assert record is not None
    assert (record.topic, record.key) == ("ounce.digits.labels", b"d1")
    headers = dict(record.headers)
    assert headers["ce_id"] == b"r-1"
    assert address().read(headers[HEADER_REPLY] or b"") == Reply("answers/d1/digits")


def test_a_label_that_no_record_takes_becomes_a_dead_letter_of_its_task() -> None:
    label = arrived("truth/d1/digits", bytes(2_000_000))
    found = Translator(LABELLED, address(), 10**6).translate(label)
    assert found.refused is Refused.TOO_LARGE
    assert found.record is not None
    assert found.record.topic == "ounce.digits.dead-letters"


def test_what_a_map_says_counts_where_a_message_says_nothing() -> None:
    rule = MapRule(
        topic="csv/+device", task="digits", content_type="text/csv", max_latency_ms=50,
        min_accuracy=0.9,
    )  # fmt: skip
    maps = TopicMaps([TopicMap.of_rule(rule, "maps.0")], ["digits"])
    translator = Translator(maps, address(), 10**6)

    def headers(**more: object) -> dict[str, bytes | None]:
        record = translator.translate(arrived("csv/d1", b"1,2", **more)).record
        assert record is not None
        return {k: v for k, v in record.headers if k != HEADER_REPLY}

    assert headers() == {
        "content-type": b"text/csv", "ce_maxlatencyms": b"50", "ce_minaccuracy": b"0.9",
    }  # fmt: skip
    own = headers(content_type="application/json", properties=[("CE_MaxLatencyMs", "7")])
    assert own == {
        "content-type": b"application/json", "CE_MaxLatencyMs": b"7", "ce_minaccuracy": b"0.9",
    }  # fmt: skip
