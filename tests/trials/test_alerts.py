"""Every alert that pages somebody has a fault that makes it fire; one of them does so here."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from trials.alerts.__main__ import SCENES, main, pages
from trials.alerts.watching import quicker


def test_every_alert_that_pages_somebody_has_a_fault() -> None:
    assert {*SCENES} == pages()


def test_rules_are_quicker_and_ask_the_same() -> None:
    rules = "  expr: rate(a[5m]) > 60 and b offset 1h > time() - process_start_time_seconds < 600\n"
    assert quicker(f"{rules}  for: 30s\n") == (
        "  expr: rate(a[15000ms]) > 60 and b offset 180000ms > time() - process_start_time_seconds"
        " < 30\n  for: 1500ms\n"
    )


@pytest.mark.kafka
@pytest.mark.prometheus
@pytest.mark.timeout(600)
def test_requests_that_a_worker_finds_gone_at_its_start_wake_somebody(digits_models: Path) -> None:
    options = ["--only=OunceRequestsLost", f"--models={digits_models}"]
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert "fires, and ends" in done.output, done.output
    assert done.exit_code == 0
