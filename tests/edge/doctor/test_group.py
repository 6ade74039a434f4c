"""What a doctor says of a group that it may not see."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from ounce_edge.doctor.finding import Verdict
from ounce_edge.doctor.group import check_group


class FakeAdmin:
    """Answers with a state of the group, or an error."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def describe_consumer_groups(self, groups: list[str], **_: object) -> dict[str, Any]:
        told: Future[Any] = Future()
        if isinstance(self._answer, Exception):
            told.set_exception(self._answer)
        else:
            told.set_result(self._answer)
        return dict.fromkeys(groups, told)


class Moving:
    """A group whose partitions are given out anew."""

    state = ConsumerGroupState.PREPARING_REBALANCING


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)),
            "Kafka tells nothing of it: Broker: Group authorization failed",
        ),
        (TimeoutError(), "Kafka tells nothing of it: no answer in time"),
        (Moving(), "its partitions are given out anew right now"),
    ],
)
def test_a_group_that_can_not_be_seen_is_passed_over(answer: object, text: str) -> None:
    found = check_group(FakeAdmin(answer), "ounce", 3)
    assert (found.check, found.verdict, found.text) == ("group ounce", Verdict.SKIPPED, text)
