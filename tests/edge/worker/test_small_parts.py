"""Smaller parts of a worker: what an install loads, and what is told before Kafka is reached."""

import subprocess
import sys
from pathlib import Path

import pytest
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.app import run_worker
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_edge.worker.startup import load_pipelines
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import Policy

from tests.support.edge.ladders import DIGITS, served
from tests.support.edge.pipelines import edition
from tests.support.edge.serving import NOWHERE


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ounce_edge.worker.app", {"torch", "sklearn", "onnx", "skl2onnx", "pandas"}),
        # Help is told by these alone.
        ("ounce_edge.worker.command", {"onnxruntime", "faststream"}),
        ("ounce_edge.gateway.command", {"onnxruntime", "paho"}),
        ("ounce_services.control.command", {"fastapi", "sqlalchemy", "uvicorn"}),
    ],
)
def test_what_is_not_needed_is_not_loaded(module: str, absent: set[str]) -> None:
    script = f"import sys, {module}; sys.exit(', '.join({absent} & {{*sys.modules}}) or 0)"
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


def test_only_a_worker_that_can_come_back_by_its_name_is_waited_for_long() -> None:
    def session_ms(**options: object) -> int:
        return WorkerSettings.model_validate(
            {"task": ("digits",), "kafka": NOWHERE, **options}
        ).session_ms

    assert (session_ms(), session_ms(name="w")) == (10_000, 45_000)
    assert session_ms(session_timeout_ms=3000) == session_ms(name="w", session_timeout_ms=3000)


def test_a_model_that_is_denied_and_not_there_is_told_of_at_the_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = WorkerSettings(task=("digits",), kafka=NOWHERE)
    found = edition(served(DIGITS, "heavy"), tasks={"digits": {"deny": ["heavvy"]}})
    load_pipelines(settings, Policy(version="p1"), Metrics(), Lanes(0), lambda task: found)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "policy p1 denies models that task digits does not have: ['heavvy']; mistyped, or to come?"
    ]
