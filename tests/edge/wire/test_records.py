"""Fields of records, column by column, and ids made of positions."""

import numpy as np
import pytest
from ounce_edge.wire.position_ids import PositionIds
from ounce_edge.wire.records import Columns

from tests.support.edge.ladders import FakeRecord


def test_the_next_offset_of_each_partition_is_committed() -> None:
    records = [
        FakeRecord(partition_=0, offset_=4),
        FakeRecord(partition_=1, offset_=9),
        FakeRecord(partition_=0, offset_=5),
    ]
    assert Columns.of(records).next_offsets() == {0: 6, 1: 10}


def test_a_position_is_an_id_of_its_own() -> None:
    positions = [
        *((0, offset) for offset in (0, 7, 10, 999, 1000, 1001, 1010, 1999, 2000)),
        *((1, offset) for offset in (2000, 2**53 + 1, 0)),
        (12, 0),
        (0, 1_234_567_890_123),
    ]
    columns = PositionIds("ounce.a.requests").columns(*np.array(positions).T)
    found = [b"".join(parts) for parts in zip(*columns, strict=True)]
    assert found == [b'"ounce.a.requests-%d-%d"' % position for position in positions]


@pytest.mark.parametrize("partitions", [(0, 1, 2), (2, 1, 0), (0, 0, 1), (1, 0, 0), (1, 1, 1)])
def test_partitions_may_come_in_any_order(partitions: tuple[int, ...]) -> None:
    records = [FakeRecord(partition_=p, offset_=10 + i) for i, p in enumerate(partitions)]
    expected = {p: 11 + i for i, p in enumerate(partitions)}
    assert Columns.of(records).next_offsets() == expected


def test_the_size_of_records_is_that_of_values_keys_and_headers() -> None:
    records = [
        FakeRecord(b"12345", [("name", b"123"), ("null", None)], key_=b"12"),
        FakeRecord(None, None, key_=None),
        FakeRecord(b"", [], key_=b""),
    ]
    assert Columns.of(records).n_bytes() == 5 + 4 + 3 + 4 + 2
