"""A gateway's turn outlives what goes wrong around it."""

import time
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.broker.certificates import first_expiry_s
from ounce_edge.gateway.arrivals import Arrived, KafkaRecord
from ounce_edge.gateway.gateway import Gateway
from ounce_edge.gateway.settings import GatewaySettings

from tests.support.kafka.certificates import Authority


def make_gateway(tmp_path: Path, **more: Any) -> Gateway:
    settings = {
        "map": ("s/+device/+task",),
        "task": ("digits",),
        "kafka": "x:1",
        "store": tmp_path / "store.db",
    }
    return Gateway(GatewaySettings.model_validate({**settings, **more}))


def test_the_log_tells_how_many_messages_were_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make_gateway(tmp_path, max_store_mb=0.01)
    body = b"x" * 1000
    for i in range(40):
        record = KafkaRecord("ounce.digits.requests", b"d", body, [], i)
        gateway._forwarder.dropped += gateway._store.add([record])[1]
    n_dropped = gateway._forwarder.dropped
    gateway._show()
    gateway._forwarder.dropped += 1
    gateway._show()  # so soon: told with the next ones
    told = [r.getMessage() for r in caplog.records if "dropped" in r.message]
    assert n_dropped > 10
    assert [text.partition(",")[0] for text in told] == [f"dropped {n_dropped} stored messages"]
    gateway._answers.close()
    gateway._store.close()


def test_a_device_that_floods_is_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make_gateway(tmp_path, device_per_s=1)
    for i in range(3):
        gateway._take(Arrived("s/pump-3/digits", b"%d" % i, 0), [])
    gateway._forwarder.turn()
    gateway._show()
    counted = gateway._registry.get_sample_value("ounce_gateway_held_back_total")
    assert counted == len(gateway._forwarder._to_store) == 2
    (told,) = [r.getMessage() for r in caplog.records if "held back" in r.message]
    assert "b'pump-3' sends more than --device-per-s 1 " in told
    gateway._answers.close()
    gateway._store.close()


def test_a_clock_that_can_not_be_right_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make_gateway(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 12.0)
        gateway._turn()
        assert "clock says 1970-01-01: set it" in gateway.ready()[1]
        assert gateway.healthy()[0]
    assert "clock" not in gateway.ready()[1]
    assert [r for r in caplog.records if "1970-01-01" in r.getMessage()]
    gateway._answers.close()
    gateway._store.close()


def test_a_refusal_is_told_beside_many_of_another_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make_gateway(tmp_path)
    for _ in range(3):
        gateway._take(Arrived("s/d/other", b"1", 0), [])
    gateway._take(Arrived("s/d/digits", b"1", 0, is_retained=True), [])
    told = [r.getMessage().partition(":")[0] for r in caplog.records if r.levelname == "WARNING"]
    assert told == ["bad-topic", "retained"]
    gateway._answers.close()
    gateway._store.close()


def test_a_store_that_can_not_be_read_for_its_age_ends_no_gateway(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path)
    gateway._store._reader.close()  # as a disk that fails
    gateway._turn()
    healthy, _ = gateway.healthy()
    assert healthy
    gateway._answers.close()
    gateway._store.close()


def test_a_gateway_whose_turn_does_not_end_is_neither_alive_nor_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway(tmp_path)
    monkeypatch.setattr(gateway, "_trouble", lambda: None)
    assert gateway.ready() == (True, "ready")
    gateway._turned_s -= 1000.0
    assert gateway.ready() == gateway.healthy()
    assert not gateway.ready()[0]
    gateway._answers.close()
    gateway._store.close()


def test_a_gateway_without_kafka_whose_certificate_was_replaced_is_to_be_restarted(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("gateway")
    gateway = make_gateway(
        tmp_path,
        security_protocol="ssl",
        ssl_ca=authority.certificate,
        ssl_certificate=pair.certificate,
        ssl_key=pair.key,
    )
    shown = gateway._registry.get_sample_value(
        "ounce_certificate_expiry_timestamp_seconds", {"certificate": "ssl_certificate"}
    )
    assert shown == first_expiry_s(pair.certificate)
    gateway._forwarder.is_away = True
    assert gateway.healthy()[0]
    authority.sign("gateway")
    healthy, why = gateway.healthy()
    assert not healthy
    assert why.endswith(f"gateway.pem, {pair.key} was replaced: restart this gateway")
    gateway._forwarder.is_away = False  # a connection outlives its certificate
    assert gateway.healthy()[0]
    gateway._answers.close()
    gateway._store.close()
