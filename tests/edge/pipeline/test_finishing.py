"""What is learned of the time that answers take, with fake models and fake clocks."""

from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import GOOD, NOW_S, Clock, edition

HELD_UP_MS = {1: 9.0, 8: 0.0}
"""By the number of messages: what another program takes of the processor meanwhile."""


def test_what_a_message_takes_is_told_from_the_processor_and_how_long_from_the_clock() -> None:
    steady, processor = Clock(), Clock()

    class SlowOutbox(Outbox):
        def __call__(self, outgoing) -> None:
            ms = 1.0 + 0.5 * len(outgoing.values)
            processor.now_s += ms / 1e3
            steady.now_s += (ms + HELD_UP_MS[len(outgoing.values)]) / 1e3
            super().__call__(outgoing)

    served_by = Pipeline(
        edition(served(DIGITS, "light", accuracy=0.95)),
        clocks=Clocks(lambda: NOW_S, steady, processor),
    )
    for poll, n in enumerate((1, 8) * 200):
        records = [FakeRecord(GOOD, partition_=0, offset_=8 * poll + i) for i in range(n)]
        serve(served_by, records, SlowOutbox())
    overhead = served_by.plans.overhead
    # On the clock one message takes 10.5 ms, and eight take 5.
    assert 1.5 < overhead.group_ms / overhead.item_ms < 3.0
    mean_ms = overhead.group_ms + 4.5 * overhead.item_ms
    assert 6.9 < mean_ms < 7.75  # of the first groups it is believed to be less
