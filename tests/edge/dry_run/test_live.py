"""What workers record is replayed while they do, and counted once."""

from functools import partial
from pathlib import Path

import pytest
from ounce_edge.dry_run.live import LiveReplay
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_edge.evidence.decided import LENGTH
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.evidence.decision_reader import split_entries
from ounce_schemas.errors import ArtifactError
from ounce_schemas.policy import Policy

from tests.edge.dry_run.test_replay import AFTER, BEFORE, happens

POLICY = Policy.model_validate(AFTER)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("decisions")
    happens(partial(DecisionLog, folder), BEFORE, 400)
    [file] = folder.iterdir()
    return file.read_bytes()


def parts_of(content: bytes) -> list[bytes]:
    return [LENGTH.pack(len(part)) + bytes(part) for part in split_entries(memoryview(content))]


def test_what_is_added_is_replayed_however_it_is_cut(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "digits-000001-0123abcd.decisions"
    live = LiveReplay(POLICY, tmp_path, "digits")
    for start in range(0, len(content), 7001):
        with file.open("ab") as growing:
            growing.write(content[start : start + 7001])
        found = live.look()
    whole = replay_recorded(POLICY, FolderRecording(tmp_path))["digits"]
    assert found == whole
    assert found.n_changed > 50
    assert live.look() == whole  # nothing is counted twice


def test_what_was_there_before_is_passed_over_and_its_senders_are_known(
    content: bytes, tmp_path: Path
) -> None:
    parts, file = parts_of(content), tmp_path / "digits-000001-0123abcd.decisions"
    half = len(parts) // 2
    file.write_bytes(b"".join(parts[:half]))
    before = replay_recorded(POLICY, FolderRecording(tmp_path))["digits"]
    live = LiveReplay(POLICY, tmp_path, "digits")
    assert live.look().before.n == 0
    file.write_bytes(content)
    found, whole = live.look(), replay_recorded(POLICY, FolderRecording(tmp_path))["digits"]
    assert found.before.n == whole.before.n - before.before.n > 0
    assert found.after.plans == whole.after.plans - before.after.plans
    assert found.after.n_refused == whole.after.n_refused - before.after.n_refused


def test_a_new_file_counts_whole_and_one_that_is_gone_is_forgotten(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "digits-000001-0123abcd.decisions").write_bytes(content)
    live = LiveReplay(POLICY, tmp_path, "digits")
    (tmp_path / "digits-000002-0123abcd.decisions").write_bytes(content)
    n = live.look().before.n
    assert n >= 400
    (tmp_path / "digits-000001-0123abcd.decisions").unlink()
    assert live.look().before.n == n


def test_junk_is_named(tmp_path: Path) -> None:
    live = LiveReplay(POLICY, tmp_path, "digits")
    (tmp_path / "digits-000001-0123abcd.decisions").write_bytes(LENGTH.pack(4) + b"junk")
    with pytest.raises(ArtifactError, match="not a log of decisions"):
        live.look()
