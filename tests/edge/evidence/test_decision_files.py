"""Recording never stops serving, and workers that share a folder leave each other's files alone."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.evidence import decision_files, decision_log
from ounce_edge.evidence.decided import Decided
from ounce_edge.evidence.decision_files import files_of
from ounce_edge.evidence.decision_log import RETRY_S, DecisionLog
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.recommender.rule.decision import decide
from ounce_schemas.errors import ArtifactError
from ounce_schemas.event import EventKind
from ounce_schemas.routing import Fallback

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import GOOD, Clock, edition, standing_clocks

LEFT_MS, FLOORS = np.full(20, 100.0), np.full(20, 0.5)


@pytest.fixture
def answers() -> Edition:
    return edition(served(DIGITS, "a"))


def record(log: DecisionLog, answers: Edition, at_ms: float) -> None:
    schedule = decide(answers.plans.view(0.0), LEFT_MS, FLOORS, Fallback.FASTEST)
    answered = [(np.arange(20), [b'"x"'] * 20)]
    log.record(at_ms, Decided(answers.plans.state, LEFT_MS, FLOORS, schedule), answered)


def times(folder: Path) -> list[float]:
    return [entry.at_ms for _, entry in read_decisions(folder, "digits")]


def kinds(log: DecisionLog) -> list[EventKind]:
    return [incident.kind for incident in log.take_incidents()]


@contextmanager
def no_file_grows_over(n_bytes: int) -> Iterator[None]:
    """As on a disk that is full: the system refuses to write (EFBIG)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_stops_recording_and_room_on_it_resumes_it(
    tmp_path: Path, answers: Edition
) -> None:
    clock = Clock()
    log = DecisionLog(tmp_path, answers.log_header(), clock=clock)
    record(log, answers, 1.0)
    log.flush()
    with no_file_grows_over(files_of(tmp_path, "digits")[0].path.stat().st_size):
        for at_ms in (2.0, 3.0):
            record(log, answers, at_ms)
            log.flush()
        assert kinds(log) == [EventKind.RECORDING_STOPPED]
        assert log.is_stopped
        clock.now_s += RETRY_S - 1.0
        record(log, answers, 4.0)
    with no_file_grows_over(0):
        clock.now_s += 1.0
        record(log, answers, 5.0)  # tried again, in vain, and told no second time
    record(log, answers, 6.0)  # there is room, but it is not tried again yet
    assert kinds(log) == []
    clock.now_s += RETRY_S
    record(log, answers, 7.0)
    [incident] = log.take_incidents()
    assert incident.kind is EventKind.RECORDING_RESUMED
    assert incident.text.endswith("; 4 were not")
    assert not log.is_stopped
    log.close()
    assert times(tmp_path) == [1.0, 7.0]


def test_serving_goes_on_without_a_record(tmp_path: Path, answers: Edition) -> None:
    log = DecisionLog(tmp_path, answers.log_header())
    serving = Pipeline(answers, clocks=standing_clocks(), log=log)
    outbox = Outbox()
    with no_file_grows_over(0):
        told = []
        for _ in range(2):
            told += serve(serving, [FakeRecord(GOOD)], outbox).incidents
            serving.flush()
        report = serve(serving, [FakeRecord(GOOD)], outbox)
        assert serving.snapshot().is_recording_stopped
        told += report.incidents
        serving.close()
    assert len(outbox.records) == 3
    assert report.next_offsets == {3: 8}
    assert [(i.kind, i.subject) for i in told] == [(EventKind.RECORDING_STOPPED, "decisions")]
    assert str(tmp_path) in told[0].text


def test_a_worker_starts_on_a_full_disk_and_not_where_it_may_not_write(
    tmp_path: Path, answers: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_full_disk(folder: Path, task: str, writer: str) -> Any:
        return folder / "none", open("/dev/full", "wb")  # noqa: PTH123

    with monkeypatch.context() as patch:
        patch.setattr(decision_log, "begin_file", on_full_disk)
        log = DecisionLog(tmp_path, answers.log_header())
    [incident] = log.take_incidents()
    assert incident.kind is EventKind.RECORDING_STOPPED
    assert "No space left on device" in incident.text
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="can't write decisions: Not a directory"):
        DecisionLog(tmp_path / "file" / "folder", answers.log_header())


def test_what_was_recorded_outlives_attempts_to_go_on_in_vain(
    tmp_path: Path, answers: Edition
) -> None:
    clock = Clock()
    log = DecisionLog(tmp_path, answers.log_header(), clock=clock)
    record(log, answers, 1.0)
    log.flush()
    with no_file_grows_over(0):
        for _ in range(5):
            clock.now_s += RETRY_S
            record(log, answers, 2.0)
            log.flush()
    assert times(tmp_path) == [1.0]
    assert len(files_of(tmp_path, "digits")) == 1


def test_two_workers_in_one_folder_keep_their_own_files(tmp_path: Path, answers: Edition) -> None:
    logs = [DecisionLog(tmp_path, answers.log_header(), most_bytes=20_000) for _ in range(2)]
    for i in range(100):
        for k, log in enumerate(logs):
            record(log, answers, i + k / 2)
    by_writer: dict[str, int] = {}
    for file in files_of(tmp_path, "digits"):
        by_writer[file.writer] = by_writer.get(file.writer, 0) + 1
    assert sorted(by_writer.values()) == [2, 2]
    for log in logs:
        log.close()
    found = times(tmp_path)
    assert found == sorted(found)
    assert {99.0, 99.5} <= set(found)
    assert len(found) >= 2 * 10


def test_files_of_workers_that_have_ended_make_room(tmp_path: Path, answers: Edition) -> None:
    (tmp_path / "digits-more-000001-0123abcd.decisions").touch()  # of another task
    (tmp_path / "digits-notes.decisions").touch()
    for start in range(5):
        log = DecisionLog(tmp_path, answers.log_header(), most_bytes=10_000_000)
        record(log, answers, float(start))
        log.close()
    assert times(tmp_path) == [3.0, 4.0]
    assert len(files_of(tmp_path, "digits")) == decision_files.KEPT
    assert len(list(tmp_path.iterdir())) == decision_files.KEPT + 2


def test_errors_of_the_disk_are_no_errors_of_the_log(
    tmp_path: Path, answers: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = DecisionLog(tmp_path, answers.log_header())

    def fails(*_: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(decision_log, "begin_file", fails)
    log.begin(answers.log_header())
    [incident] = log.take_incidents()
    assert incident.text.endswith("Input/output error")
