"""Which kept requests have an answer."""

import pytest
from ounce_edge.broker.reading.answered import AnsweredRuns, AnswerNames, KnownAnswers

TOPIC = "ounce.t.requests"


def names(*answers: tuple[str, bytes | None]) -> AnswerNames:
    own = AnswerNames(TOPIC)
    for answer in answers:
        own.add(*answer)
    return own


def runs(low: int, *marks: bool) -> AnsweredRuns:
    own = AnsweredRuns(low)
    for i, mark in enumerate(marks):
        own.add(low + i, mark)
    return own


def test_an_answer_is_of_the_request_with_its_id_and_device() -> None:
    own = names(("a", b"d1"), ("a", b"d2"), ("c", None))
    asked = [("a", b"d1"), ("b", b"d1"), ("c", None), ("a", b"d3"), None]
    assert own.take([(0, i) for i in range(5)], asked) == [True, False, True, False, False]


def test_each_answer_is_of_one_request_though_an_id_comes_twice() -> None:
    own = names(*[("1", b"d")] * 2)
    assert own.take([(0, i) for i in range(3)], [("1", b"d")] * 3) == [True, True, False]
    own.add("1", b"d")
    assert len(own) == 1
    assert own.take([(0, 2)], [("1", b"d")]) == [True]


def test_a_request_without_id_is_named_by_its_position_whatever_its_device() -> None:
    id_ = f"{TOPIC}-1-7"
    assert names((id_, None)).take([(1, 7)], [(id_, b"d")]) == [True]
    assert names((id_, b"d")).take([(1, 8)], [(f"{TOPIC}-1-8", b"d")]) == [False]


def test_a_dead_letter_answers_the_position_that_it_names() -> None:
    own = AnswerNames(TOPIC)
    own.add_position(0, 3)
    own.add_position(0, 4)
    assert own.take([(0, 3), (0, 4), (1, 3)], [("a", b"d"), None, ("a", b"d")]) == [
        True,
        True,
        False,
    ]


def test_nothing_is_answered_where_there_is_no_answer() -> None:
    assert AnswerNames(TOPIC).take([(0, 0)], [("a", None)]) == [False]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ((), KnownAnswers(20)),
        ((True, True), KnownAnswers(20, n=2)),
        ((False, False), KnownAnswers(10)),
        ((True, True, False, False), KnownAnswers(12, n=2)),
        ((False, True, True, False, True), KnownAnswers(10, (range(11, 13), range(14, 15)), 3)),
    ],
)
def test_reading_begins_at_the_first_request_without_answer(
    marks: tuple[bool, ...], expected: KnownAnswers
) -> None:
    assert runs(10, *marks).result(20, is_whole=True) == expected


def test_what_there_was_no_time_for_counts_as_not_answered() -> None:
    assert runs(10, True, True).result(20, is_whole=False) == KnownAnswers(12, n=2, is_whole=False)


def test_offsets_of_answered_requests_behind_the_start_are_known() -> None:
    known = runs(10, False, True, True, False, True).result(20, is_whole=True)
    assert [offset for offset in range(10, 20) if offset in known] == [11, 12, 14]
