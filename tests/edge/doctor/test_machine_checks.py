"""What a doctor says of the machine."""

import socket
from pathlib import Path

import pytest
from ounce_edge.doctor.finding import Verdict
from ounce_edge.doctor.machine_checks import (
    check_certificates,
    check_disk,
    check_folder,
    check_memory,
    check_open_files,
    check_port,
    check_processors,
    check_receiver,
)
from ounce_edge.telemetry.trace_protocol import TraceProtocol
from ounce_edge.worker.settings.worker import WorkerSettings

DAY_S = 86_400.0
HTTP = TraceProtocol.HTTP
SETTINGS = WorkerSettings(task=("digits",), kafka="k:1")


def test_a_folder_that_is_to_come_has_the_disk_of_its_parent(tmp_path: Path) -> None:
    folder = tmp_path / "to" / "come"
    assert check_folder("disk", folder, 0.001).verdict is Verdict.OK
    assert not folder.exists()
    full = check_folder("disk", folder, 1e12)
    assert full.verdict is Verdict.WARNING
    assert "at most 1,000,000,000,000 MB are written" in full.text


def test_a_folder_that_cant_be_made_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = check_folder("disk", tmp_path / "file" / "below", 1)
    assert found.verdict is Verdict.FAILURE
    assert f"{tmp_path / 'file'} can't be written" in found.text


def test_certificates_are_told_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    expiries = {"ssl_ca": 100 * DAY_S, "ssl_certificate": 3 * DAY_S}
    monkeypatch.setattr("ounce_edge.doctor.machine_checks.certificate_expiries", lambda _: expiries)
    assert [(f.check, f.verdict, f.text) for f in check_certificates(SETTINGS, 0.0)] == [
        ("certificate of --ssl-ca", "ok", "expires in 100 days"),
        ("certificate of --ssl-certificate", "warning", "expires in 3.0 days"),
    ]
    (_, expired) = check_certificates(SETTINGS, 5 * DAY_S)
    assert (expired.verdict, expired.text) == ("failure", "expired 2 days ago")


def test_only_folders_that_the_worker_writes_are_looked_at(tmp_path: Path) -> None:
    assert [*check_disk(SETTINGS)] == []
    every = SETTINGS.model_copy(
        update={"decisions": tmp_path, "models_store": "s", "follow_policies": True}
    )
    assert [f.check for f in check_disk(every)] == [
        "disk of decisions",
        "disk of models",
        "disk of the kept policy",
    ]


@pytest.mark.parametrize(
    ("n_brokers", "limit", "verdict"),
    [(1, 1024, "ok"), (3, 256, "ok"), (4, 256, "failure")],
)
def test_open_files(n_brokers: int, limit: int, verdict: str) -> None:
    found = check_open_files(n_brokers, limit)
    assert found.verdict == verdict
    assert ("LimitNOFILE" in found.advice) == (verdict == "failure")


def test_memory_is_held_against_models_and_waiting_requests() -> None:
    assert check_memory(SETTINGS, 100.0, 529_000_000).verdict is Verdict.OK
    short = check_memory(SETTINGS, 100.0, 527_000_000)
    assert short.verdict is Verdict.FAILURE
    assert "527 MB are free, 528 MB may be needed" in short.text
    bounded = SETTINGS.model_copy(update={"max_model_mb": 10.0})
    assert check_memory(bounded, 100.0, 440_000_000).verdict is Verdict.OK
    assert check_memory(SETTINGS, None, None).verdict is Verdict.SKIPPED


def test_more_threads_than_processors_are_a_warning() -> None:
    eager = SETTINGS.model_copy(update={"threads": 4})
    assert check_processors(eager, 4).verdict is Verdict.OK
    found = check_processors(eager, 2)
    assert (found.verdict, found.advice) == (Verdict.WARNING, "set --threads 2")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = check_port("127.0.0.1", port)
        assert check_receiver(f"http://127.0.0.1:{port}/v1/traces", HTTP).verdict is Verdict.OK
    assert found.verdict is Verdict.WARNING
    assert f"127.0.0.1:{port}" in found.text
    assert "`ounce status`" in found.advice
    assert check_port("127.0.0.1", 0).verdict is Verdict.OK


def test_a_receiver_of_traces_that_is_away_is_a_warning() -> None:
    found = check_receiver("http://127.0.0.1:1", HTTP)
    assert (found.verdict, found.check) == (Verdict.WARNING, "receiver of traces")
    assert "refused" in found.text
    assert "--traces" in found.advice
