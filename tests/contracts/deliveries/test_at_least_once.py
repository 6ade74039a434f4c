"""At least once keeps what every delivery does."""

import pytest
from ounce_edge.broker.delivery.at_least_once import AtLeastOnce
from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.publishing import Publishing

from tests.contracts.deliveries.suite import WAIT_S, DeliverySuite, Heard
from tests.support.kafka.delivered import Delivered

pytestmark = pytest.mark.kafka


class TestAtLeastOnce(DeliverySuite):
    def make(self, publishing: Publishing, name: str) -> Delivery:
        return AtLeastOnce(publishing)

    def test_offsets_of_partitions_that_others_own_are_not_given(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        delivery.publish(delivered.answers([b"one"]))
        delivery.start_confirming(delivered.behind(1), Heard())
        delivery.disown(delivered.behind(0))
        assert delivery.wait(WAIT_S)
        assert delivery.take_acknowledged() == []
