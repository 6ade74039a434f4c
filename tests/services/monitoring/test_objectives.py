"""Objectives are read, rules and their page follow from them, and somebody is told."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from ounce_schemas.command import root
from ounce_schemas.errors import OunceError
from ounce_services.monitoring.burning import BURNS, WINDOWS
from ounce_services.monitoring.causes import read_causes
from ounce_services.monitoring.command import monitoring_files
from ounce_services.monitoring.objectives import OBJECTIVES, read_objectives

ROOT = Path(__file__).parents[3]
ROUTING = ROOT / "services" / "alertmanager" / "alertmanager.yml"
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
PARTS = ("Meaning", "Impact", "Diagnosis", "Mitigation")


@cache
def alerts() -> dict[str, str]:
    """Addresses of runbooks by alert."""
    return {
        rule["alert"]: rule["annotations"]["runbook_url"]
        for name, text in monitoring_files(read_objectives()).items()
        if name.endswith(".yaml")
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = OBJECTIVES.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "objectives.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("target: 0.999", "target: 0.5", r"objectives\.2\.target: .* greater than 0\.93.*'0\.5'"),
        ("target: 0.999", "target: 1", r"objectives\.2\.target: .* less than 1"),
        (
            "title: Floors",
            "titel: Floors",
            r"objectives\.1\.titel: .* did you mean title",
        ),
        (
            "sum(sum_over_time(instance:ounce_policy_stale:ready[$window])) / $seconds",
            "sum(up)",
            r"objectives\.3\.errors",
        ),
        ("by: []", "by: [", "can't read objectives"),
    ],
)
def test_objectives_that_can_not_be_are_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(OunceError, match=says) as raised:
        read_objectives(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_windows_and_their_lengths_are_filled_in() -> None:
    for objective in read_objectives().objectives:
        for text in (objective.broken("1h"), objective.promised("1h"), objective.promised("5m")):
            assert "$" not in text
    [stale] = [o for o in read_objectives().objectives if o.name == "policy-freshness"]
    assert stale.promised("5m").endswith("[5m])) / 300)")
    assert "[5m] offset 1h)) / 300)" in stale.promised("1h")


def test_every_window_of_an_alert_is_recorded() -> None:
    assert {window for burn in BURNS for window in (burn.short, burn.long)} == set(WINDOWS)


def test_an_alert_names_its_limit() -> None:
    text = monitoring_files(read_objectives())["prometheus/rules/objectives.yaml"]
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    page, ticket = (r["expr"] for r in rules if r.get("alert") == "OunceAnswersFail")
    assert re.findall(r"> ([\d.]+)", page) == ["0.0144", "0.0144", "0.006", "0.006"]
    assert re.findall(r"> ([\d.]+)", ticket) == ["0.003", "0.003", "0.001", "0.001"]


@pytest.mark.parametrize("alert", sorted(alerts()))
def test_every_alert_has_a_runbook_with_commands(alert: str) -> None:
    assert alerts()[alert].endswith(f"runbooks.html#{alert.lower()}")
    _, heading, rest = RUNBOOKS.partition(f"\n### {alert}\n")
    assert heading, "no section"
    section = re.split(r"\n##+ ", rest)[0]
    assert re.findall(r"^\*\*(\w+)\.\*\*", section, re.MULTILINE) == [*PARTS]
    assert "```sh" in section.partition("**Diagnosis.**")[2]


def test_the_command_writes_what_it_checks(tmp_path: Path) -> None:
    where = [f"--out={tmp_path}", f"--page={tmp_path / 'page.md'}"]
    runner = CliRunner()
    assert runner.invoke(root, ["monitoring", *where]).exit_code == 0
    assert runner.invoke(root, ["monitoring", *where, "--check"]).exit_code == 0
    mine = changed(tmp_path, "target: 0.999", "target: 0.9999")
    result = runner.invoke(root, ["monitoring", *where, "--check", f"--objectives={mine}"])
    assert isinstance(result.exception, OunceError)
    assert re.search(r"rules/objectives\.yaml, .*page\.md not as", str(result.exception))


def test_what_is_checked_in_is_what_the_command_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(root, ["monitoring", "--check"], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.skipif(shutil.which("amtool") is None, reason="no amtool on PATH")
@pytest.mark.parametrize("severity", sorted({cause.severity for cause in read_causes()}))
def test_somebody_is_told_of_every_severity(severity: str) -> None:
    told = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={ROUTING}", f"severity={severity}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.strip() == {"page": "pager", "ticket": "tickets"}[severity]


@pytest.mark.skipif(shutil.which("amtool") is None, reason="no amtool on PATH")
def test_the_routing_is_one_that_alertmanager_takes() -> None:
    done = subprocess.run(
        ["amtool", "check-config", ROUTING], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 receivers" in done.stdout
