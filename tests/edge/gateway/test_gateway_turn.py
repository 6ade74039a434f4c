"""A gateway's turn outlives what goes wrong around it."""

from pathlib import Path

import pytest
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.gateway import Gateway
from ounce_edge.gateway.settings import GatewaySettings


def test_the_log_tells_how_many_messages_were_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(
        GatewaySettings(
            map=("s/+device/+task",),
            task=("digits",),
            kafka="x:1",
            store=tmp_path / "store.db",
            max_store_mb=0.01,
        )
    )
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


def test_a_store_that_can_not_be_read_for_its_age_ends_no_gateway(tmp_path: Path) -> None:
    gateway = Gateway(
        GatewaySettings(
            map=("s/+device/+task",), task=("digits",), kafka="x:1", store=tmp_path / "store.db"
        )
    )
    gateway._store._reader.close()  # as a disk that fails
    gateway._turn()
    healthy, _ = gateway.healthy()
    assert healthy
    gateway._answers.close()
    gateway._store.close()
