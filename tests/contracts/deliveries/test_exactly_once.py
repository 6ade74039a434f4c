"""Exactly once keeps what every delivery does, and leaves nothing behind that is not committed."""

import pytest
from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.exactly_once import ExactlyOnce
from ounce_edge.broker.delivery.publishing import Publishing

from tests.contracts.deliveries.suite import WAIT_S, DeliverySuite, Heard
from tests.support.kafka.delivered import Delivered

pytestmark = pytest.mark.kafka


class TestExactlyOnce(DeliverySuite):
    def make(self, publishing: Publishing, name: str) -> Delivery:
        return ExactlyOnce(publishing, transactional_id=name)

    def test_what_is_abandoned_is_not_there_until_it_is_answered_again(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        heard = Heard()
        delivery.publish(delivered.answers([b"abandoned"]))
        delivery.abandon()
        delivery.publish(delivered.answers([b"dropped: it is read again"]))
        delivery.start_confirming(delivered.behind(1), heard)
        assert delivery.wait(WAIT_S)
        assert (delivery.is_aborted, heard.batches) == (True, [])
        delivery.start_over()
        delivery.publish(delivered.answers([b"again"]))
        delivery.start_confirming(delivered.behind(1), heard)
        assert delivery.wait(WAIT_S)
        assert delivered.values(delivered.predictions) == [b"again"]
        assert (delivered.committed(delivery), heard.batches) == (1, [[]])
