"""A worker that serves a task whose promise is a recall, on a real Kafka, with labels."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_edge.recommender.beliefs.measures import Strata
from ounce_schemas.documents import read_plans
from ounce_schemas.plans import PlanProfile

from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce
from tests.support.process.wait import wait_until
from tests.support.process.worker import PATIENT, Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "payments"
RECALL = Strata("recall", 1, 2)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model that finds most fraud, at 2% false alarms or less."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    fraud = rng.random(6000) < 0.03
    table = pd.DataFrame(
        {
            "amount": rng.normal(size=6000) + 3.2 * fraud,
            "state": np.where(fraud, "fraud", "fine"),
        }
    )
    table.to_csv(folder / "payments.csv", index=False)
    options = ["--target=state", "--measure=recall:fraud@0.02", "--only=logistic-regression"]
    data = f"--data={folder / 'payments.csv'}"
    return trained(folder, data, *options)


def belief(worker: Worker, figure: str) -> float:
    series = f'ounce_plan_{figure}{{plan="logistic-regression",task="{TASK}"}}'
    found = re.search(rf"^{re.escape(series)} (\S+)$", worker.get("/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else -1.0


def ask(device: Device, inputs: Any, name: str, floor: float) -> list[Any]:
    """Answers to these inputs, in their order."""
    n = len(device.predictions)
    headers = [PATIENT, ("ce_minaccuracy", str(floor).encode())]
    for i, row in enumerate(inputs):
        device.send(row.tobytes(), [("ce_id", f"{name}-{i}".encode()), *headers])
    device.flush()
    device.read(n + len(inputs))
    answers = {answer.id: answer for answer in device.answers()}
    return [answers[f"{name}-{i}"] for i in range(len(inputs))]


def test_floors_and_labels_are_of_the_recall(
    topics: OwnTopics, workers: Workers, device: Device, models: Path
) -> None:
    topics.of_task(TASK)
    (plan,) = read_plans(models / TASK / "plans.json").plans
    promised = plan.accuracy
    with np.load(models / TASK / "test-split.npz") as arrays:
        inputs, is_fraud = arrays["input"].astype("<f4"), arrays["targets"] == 1
    with workers() as worker:
        said = worker.child.log.read_text()
        assert promised.low < 0.9
        assert "event=floor-unreachable" in said
        assert "recall of 'fraud' at 2% false alarms" in said
        rows = np.concatenate([inputs[is_fraud], inputs[~is_fraud][:200]])
        truth = np.repeat(["fraud", "fine"], [is_fraud.sum(), 200])
        floor = np.floor(promised.low * 1e4) / 1e4
        answers = ask(device, rows, "a", floor)
        given = np.array([answer.outputs[0].data[0] for answer in answers])
        assert all(answer.parameters.floor_met for answer in answers)
        assert {answer.parameters.expected_accuracy for answer in answers} == {
            round(promised.value, 6)
        }
        found = int((given[truth == "fraud"] == "fraud").sum())
        assert found / is_fraud.sum() > 0.6  # a constant guess finds none
        assert (given[truth == "fine"] == "fraud").sum() <= 12  # 0.02 of 200, and luck
        for i, label in enumerate(truth):
            device.label(json.dumps({"id": f"a-{i}", "label": label}))
        n = promised.n + int(is_fraud.sum())
        share = (promised.value * promised.n + found) / n
        wait_until(
            lambda: abs(belief(worker, "expected_accuracy") - share) < 2e-3, worker.child.log_tail
        )
        low, _ = RECALL.interval([share], [n])
        assert belief(worker, "accuracy_low") == pytest.approx(low, abs=5e-3)

        quiet = inputs[~is_fraud][200:]
        missed = [
            answer for answer in ask(device, quiet, "b", floor)
            if answer.outputs[0].data[0] == "fine"
        ]  # fmt: skip
        for answer in missed:  # all of it was fraud after all
            device.label(json.dumps({"id": answer.id, "label": "fraud"}))
        wait_until(lambda: belief(worker, "accuracy_low") < floor / 2, worker.child.log_tail)
        (late,) = ask(device, quiet[:1], "c", floor)
        assert not late.parameters.floor_met
        assert late.parameters.reason == "fallback-most-accurate-in-time"
        assert "event=accuracy-changed" in worker.child.log.read_text()


def test_explain_says_what_accuracy_means(models: Path) -> None:
    said = ounce("explain", f"--task={TASK}", f"--models={models}").stdout
    assert "Accuracy means recall of 'fraud' at 2% false alarms here." in said


def test_a_plan_of_a_recall_tells_its_false_alarms(models: Path) -> None:
    plan: PlanProfile = read_plans(models / TASK / "plans.json").plans[0]
    assert plan.false_alarms is not None
    assert plan.false_alarms.value <= 0.02
    assert plan.accuracy.low > 0.5
