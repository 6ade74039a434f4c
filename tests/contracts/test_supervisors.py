"""The unit of systemd and the manifest of Kubernetes start workers as they are, and end them so."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.topics import requests_topic

from tests.docs.test_commands import resolve

EDGE = Path(__file__).parents[2] / "edge"
UNIT = EDGE / "systemd" / "ounce-worker.service"
DEPLOYMENT, SCALED = yaml.safe_load_all((EDGE / "kubernetes" / "worker.yaml").read_text())
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
[WORKER] = POD["containers"]
STOPPING_S = 10
"""What stopping takes beyond `--drain-s`, as the page on delivery says."""
MOST_S = WorkerSettings.model_fields["drain_s"].default + STOPPING_S


def unit() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def options() -> dict[str, str]:
    return dict(word.removeprefix("--").partition("=")[::2] for word in WORKER["args"][1:])


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on PATH (Debian package: systemd)")
    # This machine has no such program; everything else is as it ships.
    text = UNIT.read_text().replace("/opt/ounce/bin/ounce", shutil.which("true") or "")
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", tmp_path / UNIT.name],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert UNIT.name not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_both_start_a_command_that_there_is() -> None:
    for words in (unit()["ExecStart"].split()[1:], WORKER["args"]):
        command, rest = resolve(list(words))
        if rest:
            command.make_context(command.name, rest)


def test_both_wait_until_a_worker_has_ended_in_order() -> None:
    assert int(unit()["TimeoutStopSec"]) > MOST_S
    assert POD["terminationGracePeriodSeconds"] > MOST_S


def test_probes_ask_the_pages_on_the_metrics_port() -> None:
    assert {p["containerPort"] for p in WORKER["ports"]} == {int(options()["metrics-port"])}
    paths = {name: WORKER[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe")}
    assert paths == {"livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_folders_that_a_worker_writes_are_volumes() -> None:
    mounted = {mount["mountPath"]: mount.get("readOnly", False) for mount in WORKER["volumeMounts"]}
    assert mounted[options()["state"]] is False
    assert mounted[options()["models"]] is True
    assert {m["name"] for m in WORKER["volumeMounts"]} == {v["name"] for v in POD["volumes"]}


def test_the_scaler_reads_the_lag_of_the_workers_group() -> None:
    [trigger] = SCALED["spec"]["triggers"]
    asked = trigger["metadata"]
    assert asked["topic"] == requests_topic(options()["task"])
    assert asked["consumerGroup"] == WorkerSettings.model_fields["group"].default
    assert asked["bootstrapServers"] == options()["kafka"]
    assert SCALED["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
