"""Prometheus takes the files of rules, and its configuration."""

import subprocess

import pytest

from tests.services.monitoring.simulated import ROOT, RULES

pytestmark = pytest.mark.prometheus


def test_prometheus_takes_the_rules_without_a_remark() -> None:
    paths = sorted(RULES.glob("*.yaml"))
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *paths],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_with_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", ROOT / "services" / "prometheus" / "prometheus.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rule files found" in done.stdout
