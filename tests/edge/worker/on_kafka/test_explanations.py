"""A worker explains its answers on a real Kafka: a table's models, and a policy that asks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from ounce_schemas.documents import read_card
from ounce_services.client.ask_command import command

from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until
from tests.support.process.worker import PATIENT, Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "ovens"
MODELS = ("logistic-regression", "decision-tree")
POLICY = """
version: why
min_accuracy: 0
rules:
- {name: auditor, when: {tenant: audit}, explanation: true}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A line and a tree, of a table of two columns of which one tells."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    heat = rng.normal(size=400)
    state = np.where(heat + 0.2 * rng.normal(size=400) > 0, "hot", "cold")
    table = pd.DataFrame({"heat": heat, "hour": rng.normal(size=400), "state": state})
    table.to_csv(folder / "ovens.csv", index=False)
    only = [f"--only={name}" for name in MODELS]
    data = f"--data={folder / 'ovens.csv'}"
    return trained(folder, data, "--target=state", *only)


def outputs(answer: Any) -> dict[str, Any]:
    return {output.name: output.data for output in answer.outputs}


def test_answers_are_explained_where_a_message_or_its_rule_asks(
    kafka: str,
    topics: OwnTopics,
    workers: Workers,
    device: Device,
    models: Path,
    tmp_path: Path,
) -> None:
    topics.of_task(TASK)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with workers(f"--policy={policy}") as worker:
        body = np.array([2.0, 0.1], "<f4").tobytes()
        heads = {
            "plain": [],
            "asks": [("ce_explanation", b"true")],
            "rule": [("ce_tenant", b"audit")],
            "no": [("ce_tenant", b"audit"), ("ce_explanation", b"false")],
            "wrong": [("ce_explanation", b"why not")],
        }
        for name, headers in heads.items():
            device.send(body, [("ce_id", name.encode()), PATIENT, *headers])
        device.flush()
        device.read(5)
        found = {answer.id: answer for answer in device.answers()}
        assert found.keys() == {"plain", "asks", "rule", "no"}
        for name in ("asks", "rule"):
            said, how = outputs(found[name]), found[name].parameters
            assert how.not_explained is None
            card = read_card(models / TASK / found[name].model_name / "card.json")
            own = card.explanation
            assert own is not None
            assert (how.explanation, how.explained) == (own.method, own.score)
            assert said["explained_inputs"] == ["heat", "hour"]
            assert abs(said["contributions"][0]) > abs(said["contributions"][1])
        for name in ("plain", "no"):
            assert "contributions" not in outputs(found[name])
        series = f'ounce_explanations_total{{outcome="given",task="{TASK}"}}'
        wait_until(lambda: worker.value_of(series) == 2, worker.child.log_tail)
        row = ["--data", '{"heat": -2, "hour": 0}', "--explain", "--timeout-s", "30"]
        asked = CliRunner().invoke(
            command, [TASK, "--kafka", kafka, *row, "--max-latency-ms", "60000"],
            standalone_mode=False,
        )  # fmt: skip
        shown = next(line for line in asked.output.splitlines() if line.startswith("explained"))
        assert "heat" in shown


def test_both_kinds_add_up_to_their_score(models: Path) -> None:
    """As the cards say, and in a process without Kafka."""
    methods = {}
    for name in MODELS:
        own = read_card(models / TASK / name / "card.json").explanation
        assert own is not None
        assert own.largest_error <= 1e-5
        methods[name] = own.method
    assert methods["logistic-regression"] == "exact"
    assert methods["decision-tree"] in ("tree-shap", "tree-paths")
