"""Wrong options of `ounce doctor`: each is named, and none is a traceback."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from ounce_schemas.command import root

TASK, AWAY = "--task=digits", ["--kafka=127.0.0.1:1", "--kafka-timeout-s=0.1"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kafka=h:1"], "Missing option '--task'"),
        ([TASK], "Missing option '--kafka'"),
        (
            ["--task=Di gits", "--kafka=h:1"],
            "task.0: use lower-case letters, digits and '-', 63 at most (given: ",
        ),
        ([TASK, "--kafka=h:1", "--metrics-port=99999"], "metrics_port: Input should be less"),
        ([TASK, "--kafka=h:1", "--traces=localhost:4318"], "traces: String should match pattern"),
        ([TASK, "--kafka=h:1", "--when-no-offsets=soon"], "when_no_offsets:"),
    ],
)
def test_wrong_usage_is_named(words: list[str], told: str) -> None:
    result = CliRunner().invoke(root, ["doctor", *words])
    assert (result.exit_code, told in result.output) == (2, True), result.output


def test_a_login_of_the_receiver_is_refused_and_not_shown() -> None:
    words = ["doctor", TASK, "--kafka=h:1", "--traces=http://ann:secret@h:1"]
    result = CliRunner().invoke(root, words)
    told = result.output
    assert result.exit_code == 2
    assert "give the login in OTEL_EXPORTER_OTLP_HEADERS" in told
    assert "secret" not in told


@pytest.mark.parametrize("kind", ["absent", "folder", "binary"])
def test_a_policy_that_is_none_is_a_finding(kind: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    if kind == "folder":
        policy.mkdir()
    elif kind == "binary":
        policy.write_bytes(b"\xff\x00\xfe")
    models = f"--models={tmp_path / 'models'}"
    words = ["doctor", TASK, *AWAY, models, f"--policy={policy}"]
    result = CliRunner().invoke(root, words, standalone_mode=False)
    told = result.output
    assert result.return_value == 1
    [line] = [line for line in told.splitlines() if str(policy) in line]
    assert "policy" in line
    assert str(tmp_path / "models") in told  # and what is wrong beside
