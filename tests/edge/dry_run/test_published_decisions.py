"""Decisions that are published: any record of them is a log of its own."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from ounce_edge.dry_run.recorded import FolderRecording, Log, logs_in
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_edge.evidence import decision_stream
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.evidence.decision_stream import DecisionStream
from ounce_schemas.errors import ArtifactError
from ounce_schemas.policy import Policy

from tests.edge.dry_run.test_replay import AFTER, BEFORE, happens
from tests.support.edge.ladders import DIGITS, served
from tests.support.edge.pipelines import edition

N = 600


class Records:
    """Takes what is sent, and is read as a `Recording`."""

    def __init__(self, values: Sequence[bytes] = ()) -> None:
        self.values = [*values]
        self.keys = set[bytes]()
        self.n_closed = 0

    def __call__(self, key: bytes, value: bytes, headers: object) -> None:
        self.keys.add(key)
        self.values.append(value)

    def close(self) -> None:
        self.n_closed += 1

    def tasks(self) -> Sequence[str]:
        return ["digits"]

    def read(self, task: str) -> Iterator[Log]:
        for value in self.values:
            yield from logs_in(value, "a record")


@pytest.fixture(scope="module")
def published() -> Records:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decision_stream, "MOST_BYTES", 4000)
        records = Records()
        happens(partial(DecisionStream, records, records.close), BEFORE, N)
    return records


def test_what_is_published_is_replayed_as_what_is_in_a_folder(
    published: Records, tmp_path: Path
) -> None:
    happens(partial(DecisionLog, tmp_path), BEFORE, N)
    policy = Policy.model_validate(AFTER)
    one = replay_recorded(policy, published)["digits"]
    other = replay_recorded(policy, FolderRecording(tmp_path))["digits"]
    assert one.before.n >= N
    assert one.n_changed == other.n_changed > 0
    assert (one.before, one.after) == (other.before, other.after)
    assert [c.id for c in one.changes] == [c.id for c in other.changes]
    assert (published.keys, published.n_closed) == ({b"digits"}, 1)
    assert len(published.values) > 5


def test_records_are_read_without_those_before_them(published: Records) -> None:
    policy = Policy.model_validate(BEFORE)
    parts = [replay_recorded(policy, Records([v]))["digits"].before.n for v in published.values]
    n = replay_recorded(policy, published)["digits"].before.n
    assert sum(parts) == n
    assert min(parts) > 0
    rest = replay_recorded(policy, Records(published.values[3:]))["digits"]
    assert rest.before.n == n - sum(parts[:3])


def test_a_record_that_is_no_log_is_named_and_a_torn_one_is_read_as_far_as_it_is_whole(
    published: Records,
) -> None:
    for junk in (b"\x02\x00\x00\x00{}", b"\x01\x00\x00\x00\xc1"):
        with pytest.raises(ArtifactError, match="a record: not a log of decisions"):
            list(Records([junk]).read("digits"))
    assert list(Records([b"", b"\xff"]).read("digits")) == []
    whole = published.values[0]
    [(_, entries)] = Records([whole[:-1]]).read("digits")
    [(_, all_entries)] = Records([whole]).read("digits")
    assert len(list(entries)) == len(list(all_entries)) - 1


def test_an_entry_that_is_none_is_named() -> None:
    records = Records()
    stream = DecisionStream(records, records.close, edition(served(DIGITS, "a")).log_header())
    stream.flush()
    assert records.values == []  # nothing was decided
    header = decision_stream.framed(stream._encode(stream._header))
    [(_, entries)] = Records([header + b"\x01\x00\x00\x00\x00"]).read("digits")
    with pytest.raises(ArtifactError, match="a record: not a log of decisions"):
        list(entries)
