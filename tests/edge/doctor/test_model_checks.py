"""What a doctor says of models and the policy's file."""

import shutil
from pathlib import Path

import pytest
from ounce_edge.doctor.broker_checks import BrokerChecks
from ounce_edge.doctor.command import DoctorSettings, examine
from ounce_edge.doctor.finding import Finding, Verdict
from ounce_edge.doctor.model_checks import ModelChecks
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.names import TOPICS_VARIABLE

from tests.support.edge.bad_versions import make_crashing
from tests.support.edge.ladders import DIGITS, write_ladder


def findings(models: Path, **changed: object) -> list[Finding]:
    settings = WorkerSettings(task=("digits",), kafka="k:1", models=models)
    runtime = FakeRuntime({name: FakeModel(DIGITS) for name in ("light", "mlp")})
    return [*ModelChecks(settings.model_copy(update=changed), runtime).check()]


def test_a_ladder_that_loads_is_right(tmp_path: Path) -> None:
    write_ladder(tmp_path, DIGITS, "light", "mlp")
    (found,) = findings(tmp_path)
    assert found.text.startswith("2 of catalogue ")
    assert (found.check, found.verdict) == ("models of digits", "warning")  # planned by nobody


def test_a_model_that_is_not_its_cards_is_named(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path, DIGITS, "light", "mlp")
    (folder / "mlp" / MODEL_FILE).write_text("another")
    (found,) = findings(tmp_path)
    assert found.verdict == "failure"
    assert "1 of catalogue" in found.text
    assert "refused: mlp: " in found.text
    assert "is not the card's" in found.text


def test_no_ladder_is_a_failure(tmp_path: Path) -> None:
    (found,) = findings(tmp_path)
    assert found.verdict == "failure"
    assert "ounce train digits" in found.text


def test_models_of_a_store_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tmp_path / "topics.yaml"
    names.write_text("prefix: plant-1")
    monkeypatch.setenv(TOPICS_VARIABLE, str(names))
    (found,) = findings(tmp_path, models_store="store")
    assert (found.verdict, found.advice) == ("skipped", "`ounce models list` shows it")
    assert "plant-1.models" in found.text


def test_the_policy_is_read(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"

    def of_policy() -> Finding:
        return findings(tmp_path, models_store="store", policy=policy)[-1]

    assert of_policy().verdict == "failure"
    policy.write_text("version: p1\n")
    assert (of_policy().verdict, of_policy().text) == ("ok", "p1 can be read")
    policy.write_text("version: p1\ntasks: {bearing: {max_latency_ms: 5}}\n")
    assert of_policy().verdict == "warning"
    assert "bearing" in of_policy().advice
    policy.write_text("version: [\n")
    assert of_policy().verdict == "failure"
    assert "`ounce policy check`" in of_policy().advice


def test_a_model_that_is_fatal_is_named_and_ends_no_doctor(
    digits_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("decision-tree", "mlp"):
        shutil.copytree(digits_models / "digits" / name, tmp_path / "digits" / name)
    shutil.copy(digits_models / "digits" / "task.json", tmp_path / "digits")
    make_crashing(tmp_path / "digits" / "mlp")
    monkeypatch.setattr(BrokerChecks, "check", lambda self: iter(()))
    settings = DoctorSettings(task=("digits",), kafka="h:1", models=tmp_path)
    found = {finding.check: finding for finding in examine(settings)}["models of digits"]
    assert found.verdict is Verdict.FAILURE
    assert "refused: mlp: " in found.text
    assert "took its process down" in found.text
