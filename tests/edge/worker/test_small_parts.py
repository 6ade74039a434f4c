"""Smaller parts of the edge: offsets to commit, and what an install loads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ounce_edge.wire.position_ids import PositionIds
from ounce_edge.wire.records import Columns
from ounce_edge.worker.app import run_worker
from ounce_edge.worker.settings import WorkerSettings
from ounce_schemas.errors import PolicyError

from tests.support.edge.ladders import FakeRecord
from tests.support.edge.serving import NOWHERE


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


def test_a_worker_loads_no_training_library() -> None:
    script = (
        "import sys, ounce_edge.worker.command; "
        "training = {'torch', 'sklearn', 'onnx', 'skl2onnx', 'pandas'}; "
        "sys.exit(', '.join(training & {*sys.modules}) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_wrong_policy_is_told_before_kafka_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("exploration: 2\n")
    settings = WorkerSettings(
        task=("digits",), kafka=NOWHERE, policy=path, metrics_port=0, kafka_timeout_s=1.0
    )
    with pytest.raises(PolicyError, match="exploration"):
        run_worker(settings)
