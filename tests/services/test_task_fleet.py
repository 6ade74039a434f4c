"""What one task's devices make of the records that come back."""

from typing import cast

from confluent_kafka import Message
from ounce_schemas.topics import dead_letters_topic
from ounce_services.devices.fleet import FleetShape
from ounce_services.devices.labels import LabelSender
from ounce_services.devices.ledger import Sent
from ounce_services.devices.pacing import Pace
from ounce_services.devices.samples import Samples
from ounce_services.devices.targets import Targets
from ounce_services.devices.task_fleet import TaskFleet

from tests.support.edge.ladders import FakeRecord


def test_neither_the_mark_of_a_replay_nor_a_label_is_a_dead_letter_of_theirs(
    samples: Samples,
) -> None:
    shape = FleetShape(n_devices=1, json_share=0, traced_share=0, mix=(Targets(None, None, 1),))
    fleet = TaskFleet(
        samples, shape, Pace(1, 10, 1, 1), LabelSender(samples, 0, 1, seed=0), seed=0, run="r"
    )
    sent = Sent(0.0, 0, b"d")
    fleet.ledger.record_sent(None, sent)
    fleet.ledger.record_position("ounce.toy.requests--", sent)
    topic = dead_letters_topic("toy")
    mark = FakeRecord(None, [("ounce-dead-letter-replayed", b"3")], topic_=topic)
    fleet.receive(cast(Message, mark), 1.0)
    assert not fleet.ledger.dead_letters
    why = [("ounce-dead-letter-reason", b"refused")]
    label = [*why, ("ounce-dead-letter-topic", b"ounce.toy.labels")]
    fleet.receive(cast(Message, FakeRecord(b"", label, topic_=topic)), 1.0)
    assert not fleet.ledger.dead_letters
    request = [*why, ("ounce-dead-letter-topic", b"ounce.toy.requests")]
    fleet.receive(cast(Message, FakeRecord(b"", request, topic_=topic)), 1.0)
    assert fleet.ledger.dead_letters == {"refused": 1}
