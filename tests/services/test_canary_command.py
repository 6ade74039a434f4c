"""`ounce policy canary` without a Kafka: what is refused before it is asked for anything."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ounce_schemas.canary import Canary, Comparison, Criterion, Evidence, Stop
from ounce_schemas.documents import parse_policy
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import PolicyHistory, PolicyVersion
from ounce_services.policies.canary_state import evidence_table, read_state
from ounce_services.policies.command import command
from ounce_services.policies.model_trial import with_model, without_model
from pydantic import ValidationError

NOWHERE = "--kafka=127.0.0.1:1"


def start(*arguments: str) -> Any:
    return CliRunner().invoke(command, ["canary", "start", NOWHERE, *arguments])


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "1.5", "nan", "many"])
def test_shares_outside_0_and_1_are_refused(tmp_path: Path, share: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{}")
    assert start(str(file), f"--share={share}").exit_code == 2
    with pytest.raises(ValidationError):
        Canary(document="{}", share=share)  # type: ignore[arg-type]


def test_it_needs_a_policy_or_a_model_and_not_both(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{}")
    for arguments in ([], [str(file), "--model=digits/mlp"]):
        assert "name either a FILE or --model" in start("--share=0.1", *arguments).output


def test_a_file_that_is_no_policy_is_refused_before_kafka_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("min_accuracy: 7")
    result = start(str(file), "--share=0.1")
    assert isinstance(result.exception, PolicyError)
    assert "min_accuracy" in str(result.exception)


def test_a_warning_that_both_policies_share_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = "rules: [{name: old, when: {valid_until: 2020-01-01T00:00:00Z}, min_accuracy: 0.9}]"

    class FakeTopic:
        def history(self) -> PolicyHistory:
            at = datetime(2026, 1, 1, tzinfo=UTC)
            version = PolicyVersion(number=1, base=0, id="a", author="x", at=at, document=shared)
            history = PolicyHistory()
            history.take(version.model_dump_json().encode())
            return history

        def make_topics(self, names: list[str]) -> None:
            raise PolicyError("checked, and no further")

    opened = "ounce_services.policies.canary_command.open_topic"
    monkeypatch.setattr(opened, lambda values: FakeTopic())
    file = tmp_path / "p.yaml"
    file.write_text(f"min_accuracy: 0.5\n{shared}")
    result = start(str(file), "--share=0.1")
    assert str(result.exception) == "checked, and no further"
    assert result.output.count("rule old: is over since") == 1


@pytest.mark.parametrize("document", ["{}", "", "tasks: {digits: {deny: [mlp], cascades: false}}"])
def test_a_model_on_trial_is_denied_to_the_others_alone(document: str) -> None:
    baseline = parse_policy(without_model(document or "{}", "digits", "mlp"), "baseline")
    canary = parse_policy(with_model(document or "{}", "digits", "mlp"), "canary")
    assert not baseline.for_task("digits").permits("mlp")
    assert canary.for_task("digits").permits("mlp")
    cascades = [policy.for_task("digits").cascades for policy in (baseline, canary)]
    assert cascades == [not document.startswith("tasks")] * 2


def test_the_state_is_what_each_run_wrote_last_and_the_first_stop() -> None:
    def evidence(run: str, n: int, canary: str = "c") -> tuple[bytes, bytes]:
        comparison = Comparison(
            task="digits",
            criterion=Criterion.DEADLINES,
            baseline=(n, 0),
            canary=(n, n),
            growth=(1.0, 1.0, 1.0, 1.0, 1.0),
        )
        record = Evidence(canary=canary, run=run, at_ms=1, comparisons=(comparison,))
        return record.key, record.model_dump_json().encode()

    stops = [Stop(canary="c", worker="w", at_ms=1, reason=why) for why in ("first", "second")]
    records = [
        evidence("a", 1),
        evidence("a", 10),
        evidence("b", 5),
        evidence("b", 99, canary="another"),
        *((stop.key, stop.model_dump_json().encode()) for stop in stops),
        (b"evidence/c/x", b"junk"),
        (b"evidence/c/a", None),
    ]
    state = read_state(records, "c")
    assert state.stop == stops[0]
    text = evidence_table(Canary(document="{}", share=0.1), state)
    row = text.splitlines()[1].split()
    assert row[:6] == ["digits", "deadlines", "100.00%", "15", "0.00%", "15"]
    assert row[6] == "46%"  # 2 of log(4 / 0.05)
