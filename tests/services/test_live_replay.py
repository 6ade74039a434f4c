"""`ounce policy replay --live`."""

from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner
from ounce_edge.dry_run.figures import Figures
from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_services.policies.command import command
from ounce_services.policies.live_replay import live_line

from tests.support.edge.ladders import DIGITS, served
from tests.support.edge.pipelines import LIGHT, edition

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_line_says_what_would_change() -> None:
    before, after = Figures(n=200, in_time=200), Figures(n=200, in_time=180, n_refused=10)
    before.compute_ms, after.compute_ms = 20.0, 190.0
    line = live_line(NOON, "digits", Foresight(before, after, n_changed=150))
    assert line.startswith("12:00:00 digits: 200 messages, another plan for 75.0%, ")
    assert "deadlines kept 100.00% -> 90.00%, " in line
    assert "refused 0.00% -> 5.00%, compute each, ms 0.1 -> 1" in line
    assert live_line(NOON, "digits", Foresight()) == "12:00:00 digits: 0 messages"


def test_it_prints_as_it_goes_and_says_where_nothing_came(tmp_path: Path) -> None:
    file, folder = tmp_path / "p.yaml", tmp_path / "decisions"
    file.write_text("min_accuracy: 0.5")
    DecisionLog(folder, edition(served(DIGITS, "light", **LIGHT)).log_header()).close()
    options = [f"--policy={file}", f"--decisions={folder}", "--live", "--every=0.01"]
    result = CliRunner().invoke(command, ["replay", *options, "--seconds=0.05"])
    assert result.exit_code == 0, result.output
    assert " digits: 0 messages\n" in result.output
    assert result.output.endswith("digits: no message was answered meanwhile\n")
    result = CliRunner().invoke(command, ["replay", *options, "--seconds=0.05", "--task=digit"])
    assert result.exit_code == 1
    assert "no decisions of task digit; there are those of digits" in str(result.exception)
