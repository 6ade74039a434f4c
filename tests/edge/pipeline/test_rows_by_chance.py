"""Whatever becomes of rows, each message has one answer or one letter, and offsets wait for it."""

from typing import Any

import numpy as np
import pytest
from ounce_edge.pipeline.turn import Turn

from tests.edge.pipeline.test_many_rows import LETTERS, TOPIC, rows
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, raw, served
from tests.support.edge.pipelines import Clock, pipeline, second_label


def fails_now_and_then(rng: np.random.Generator) -> Any:
    def answer(inputs: Any) -> Any:
        if rng.random() < 0.2:
            raise RuntimeError("by chance")
        return second_label(inputs)

    return answer


@pytest.mark.parametrize("seed", range(12))
def test_each_message_comes_to_one_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    light = served(DIGITS, "light", fails_now_and_then(rng), accuracy=0.9, ms_per_item=0.5)
    heavy = served(DIGITS, "heavy", fails_now_and_then(rng), accuracy=0.99, ms_per_item=2.0)
    served_by = pipeline(light, heavy, steady=Clock(1e-4))
    outbox, offsets = Outbox(), dict[int, int]()
    ends = dict.fromkeys(range(3), 0)
    lost: set[int] = set()
    for _ in range(6):
        records = []
        for partition in sorted(set(ends) - lost):
            for _ in range(int(rng.integers(0, 5))):
                n, offset = int(rng.integers(1, 30)), ends[partition]
                body = rows(n, id=f"{partition}-{offset}") if n > 1 else raw(1, 2, 3, 4)
                place = {"partition_": partition, "offset_": offset}
                key = f"{partition}-{offset}".encode()
                records.append(FakeRecord(body, key_=key, **place))
                ends[partition] += 1
        if records:
            offsets |= served_by.admit(records, outbox).next_offsets
        for _ in range(int(rng.integers(0, 4))):
            slice_ms = float(rng.uniform(0.5, 30))
            offsets |= served_by.step(outbox, Turn(slice_ms=slice_ms)).next_offsets
        if rng.random() < 0.15 and len(lost) < 2:
            lost.add(gone := int(rng.choice(sorted(set(ends) - lost))))
            served_by.drop([gone])
            offsets.pop(gone, None)
    while served_by.n_open:
        offsets |= served_by.step(outbox, Turn(slice_ms=5.0)).next_offsets
    assert {topic for topic, *_ in outbox.records} <= {TOPIC, LETTERS}
    keys = [key for _, _, key, _ in outbox.records]
    assert len(set(keys)) == len(keys)
    for partition in set(ends) - lost:
        expected = {f"{partition}-{offset}".encode() for offset in range(ends[partition])}
        assert {key for key in keys if (key or b"").startswith(b"%d-" % partition)} == expected
        assert offsets.get(partition, 0) == ends[partition]
    assert not offsets.keys() & lost
