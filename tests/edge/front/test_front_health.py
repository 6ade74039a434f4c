"""What a front says of itself."""

from pathlib import Path

import pytest
from ounce_edge.front import front as front_module
from ounce_edge.front.front import Front
from ounce_edge.front.settings import HttpSettings


class Reader:
    """As `AnswerReader`, of a Kafka that is away."""

    is_away = True
    stalled_s = 0.0

    def trouble(self, task: str) -> str | None:
        return None


class Sender:
    """As the real one."""

    is_away = False
    stalled_s = 0.0


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text("first")
    return path


@pytest.fixture
def front(authority: Path, monkeypatch: pytest.MonkeyPatch) -> Front:
    settings = HttpSettings(
        task=("digits",), kafka="nowhere:1", security_protocol="ssl", ssl_ca=authority
    )
    front = Front(settings)
    monkeypatch.setattr(front, "_sender", Sender())
    monkeypatch.setattr(front, "_reader", Reader())
    return front


def test_a_front_that_starts_is_alive_and_not_ready() -> None:
    front = Front(HttpSettings(task=("digits",), kafka="nowhere:1"))
    assert front.healthy() == (True, "alive, not ready: starting")
    assert front.ready() == (False, "starting")


def test_kafka_away_is_no_reason_to_restart_unless_a_certificate_was_replaced(
    front: Front, authority: Path
) -> None:
    assert front.healthy() == (True, "alive, not ready: Kafka does not answer")
    assert front.ready() == (False, "Kafka does not answer")
    authority.write_text("second")
    is_alive, why = front.healthy()
    assert not is_alive
    assert "was replaced: restart this front" in why


@pytest.mark.parametrize("part", [Reader, Sender])
def test_a_thread_that_does_not_come_round_is_a_reason_to_restart(
    front: Front, part: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "is_away", False)
    assert front.ready() == (True, "ready")
    monkeypatch.setattr(part, "stalled_s", front_module._STALLED_S + 1)
    for probe in (front.healthy, front.ready):
        assert probe() == (False, "no progress for 31 s: restart this front")
