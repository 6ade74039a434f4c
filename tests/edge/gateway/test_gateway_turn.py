"""A gateway's turn outlives what goes wrong around it."""

from pathlib import Path

from ounce_edge.gateway.gateway import Gateway
from ounce_edge.gateway.settings import GatewaySettings


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
