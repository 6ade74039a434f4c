"""What topics mean."""

import pytest
from ounce_edge.gateway.maps import BadTopicError, TopicMap, TopicMaps
from ounce_edge.gateway.patterns import Pattern, Place, is_topic

MAPS = TopicMaps(
    [TopicMap.parse("sensors/+device/+task"), TopicMap.parse("plant/+/+device/raw/#=bearing")],
    ["digits", "bearing"],
)


def test_filters_are_what_a_broker_takes() -> None:
    assert MAPS.filters == ["sensors/+/+", "plant/+/+/raw/#"]


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        ("sensors/d1/digits", Place("digits", "d1")),
        ("plant/7/pump 3/raw", Place("bearing", "pump 3")),
        ("plant/7/ünal/raw/x/y", Place("bearing", "ünal")),
        ("plant//p/raw", Place("bearing", "p")),
    ],
)
def test_a_topic_names_task_and_device(topic: str, place: Place) -> None:
    assert MAPS.find(topic).place == place


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("sensors/d1/no-such-task", "'no-such-task' is not among"),
        ("sensors/d1/../../etc", "no map"),
        ("sensors//digits", "device '' is empty"),
        ("sensors/a\x00b/digits", "no plain text"),
        ("sensors/a\nb/digits", "no plain text"),
        ("sensors/a\x85b/digits", "no plain text"),
        ("sensors/#/digits", "no plain text"),
        ("sensors/" + "é" * 129 + "/digits", "over 256 bytes"),
        ("sensors/d1/" + "x" * 60_000, "is not among"),
        ("sensors/d1", "no map"),
        ("sensors/d1/digits/more", "no map"),
        ("/" * 65_535, "no map"),
        ("", "no map"),
        ("$SYS/broker/uptime", "no map"),
    ],
)
def test_a_hostile_topic_is_refused_by_name(topic: str, why: str) -> None:
    with pytest.raises(BadTopicError, match=why):
        MAPS.find(topic)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sensors/+task", r"no level \+device"),
        ("sensors/+device", "name the task"),
        ("sensors/+device/+task=digits", "name the task"),
        ("+device/+device/+task", "names .* twice"),
        ("a/#/+device=t", "only be the last"),
        ("a/b#=t", "only be the last"),
        ("a/x+device=t", r"a level with \+"),
        ("a/+room/+device=t", r"a level with \+"),
        ("a/+device=No Task", "no name of a task"),
        ("", "is empty"),
        ("a/+device\n=t", "control"),
    ],
)
def test_a_map_that_says_too_little_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TopicMap.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a/+/c", "a/b/+", True),
        ("a/+/c", "a/b/d", False),
        ("a/#", "a", True),
        ("a/#", "b/#", False),
        ("#", "x/+device", True),
        ("a/+", "a/b/c", False),
        ("a/+/#", "a/b", True),
    ],
)
def test_patterns_overlap(one: str, other: str, both: bool) -> None:
    assert Pattern.parse(one).overlaps(Pattern.parse(other)) is both
    assert Pattern.parse(other).overlaps(Pattern.parse(one)) is both


def test_a_pattern_for_a_device_holds_for_it_alone() -> None:
    bound = Pattern.parse("answers/+device/#").bound(Place("digits", "d1"))
    assert bound.match("answers/d1/x/y") is not None
    assert bound.match("answers/d2/x") is None


def test_wildcards_match_nothing_of_the_broker() -> None:
    assert Pattern.parse("#").match("$SYS/x") is None
    assert Pattern.parse("+/x").match("$SYS/x") is None


@pytest.mark.parametrize("text", ["", "a/+", "#", "a\x00", "$SYS/x", "x" * 65_536])
def test_what_is_no_topic(text: str) -> None:
    assert not is_topic(text)
