"""Answers that follow a measure: thresholds and balance, chosen so that promises hold."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnxruntime import InferenceSession
from ounce_exporters.evaluation.figures import estimate_accuracy
from ounce_exporters.evaluation.promises import false_alarms
from ounce_exporters.export.calibration import Temperature, fit_calibrator, validation_answers
from ounce_exporters.export.graphs import UNCALIBRATED, normalize
from ounce_exporters.export.weighing import fewest_items, fit_biases, most_false_alarms
from ounce_schemas.measure import Measure
from ounce_schemas.task import TaskSpec, TensorSpec
from scipy.stats import norm

RATE = 0.02
PRIOR = np.array([0.98, 0.02])


def task(measure: Measure) -> TaskSpec:
    tensor = TensorSpec(name="input", datatype="FP32", shape=(2,))
    return TaskSpec(
        name="t",
        kind="classification",
        description="",
        inputs=(tensor,),
        labels=("fine", "fraud"),
        measure=measure,
    )


RECALL = task(Measure(kind="recall", label="fraud", false_alarms=RATE))
F1 = task(Measure(kind="f1", label="fraud"))
BALANCED = task(Measure(kind="balanced-accuracy"))


def draw(rng: Any, n_fine: int, n_fraud: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose margin is normal: about 0 for fine items, about 2 for fraud."""
    targets = np.repeat([0, 1], [n_fine, n_fraud])
    margins = rng.normal(2.0 * targets)
    return np.stack([np.zeros_like(margins), margins], axis=1).astype(np.float32), targets


def test_recall_and_false_alarms_hold_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(0)
    kept_rate = kept_recall = 0
    for _ in range(400):
        logits, targets = draw(rng, 1000, 30)
        biases = fit_biases(RECALL, logits, targets, PRIOR)
        promised = estimate_accuracy(RECALL, Temperature(1.0, biases).apply(logits), targets)
        threshold = -biases[1]
        kept_rate += norm.sf(threshold) <= RATE
        kept_recall += norm.sf(threshold - 2.0) >= promised.low
    assert kept_rate >= 0.95 * 400
    assert kept_recall >= 0.95 * 400


def test_a_threshold_of_f1_does_not_flatter_itself() -> None:
    rng = np.random.default_rng(1)
    kept, seen, flattered, truths = 0, [], [], []
    for _ in range(200):
        logits, targets = draw(rng, 600, 24)
        calibrator = Temperature(1.0, fit_biases(F1, logits, targets, PRIOR))
        promised = estimate_accuracy(
            F1, validation_answers(F1, calibrator, logits, targets), targets
        )
        # The truth of the final threshold, in a world with as many of each.
        threshold = -calibrator.biases[1]
        hits, alarms = 24 * norm.sf(threshold - 2.0), 600 * norm.sf(threshold)
        truth = 2 * hits / (24 + hits + alarms)
        kept += promised.low <= truth
        seen.append(promised.value)
        truths.append(truth)
        flattered.append(estimate_accuracy(F1, calibrator.apply(logits), targets).value)
    assert kept >= 0.95 * 200
    assert np.mean(seen) < np.mean(truths) + 0.02
    assert np.mean(flattered) > np.mean(truths) + 0.05  # so the fifths are needed


def test_balance_finds_the_rare_class() -> None:
    logits, targets = draw(np.random.default_rng(2), 4900, 100)
    # What a calibrated classifier would say of these margins.
    logits[:, 1] = 2.0 * logits[:, 1] - 2.0 + np.log(PRIOR[1] / PRIOR[0])
    plain = estimate_accuracy(BALANCED, Temperature(1.0).apply(logits), targets)
    biases = fit_biases(BALANCED, logits, targets, PRIOR)
    balanced = estimate_accuracy(BALANCED, Temperature(1.0, biases).apply(logits), targets)
    assert plain.value < 0.65
    assert balanced.value > 0.8
    assert fit_biases(BALANCED, logits, targets, np.full(2, 0.5)) == (0.0, 0.0)


def test_the_graph_answers_with_the_threshold() -> None:
    logits, targets = draw(np.random.default_rng(3), 1000, 30)
    calibrator = fit_calibrator(RECALL, logits, targets, PRIOR)
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2])
        for name in ("input", UNCALIBRATED)
    ]
    node = helper.make_node("Identity", ["input"], [UNCALIBRATED])
    same = helper.make_model(helper.make_graph([node], "same", tensors[:1], tensors[1:]))
    graph = calibrator.attach(normalize(same), RECALL)
    (answers,) = InferenceSession(graph.SerializeToString()).run(None, {"input": logits})
    np.testing.assert_allclose(answers, calibrator.apply(logits), atol=1e-5)
    alarms = false_alarms(RECALL, answers.argmax(axis=1), targets)
    assert alarms is not None
    assert round(alarms.value * alarms.n) == most_false_alarms(1000, RATE)
    assert alarms.value <= RATE


def test_equal_scores_are_not_told_apart() -> None:
    margins = np.array([0.0] * 500 + [1.0] * 500 + [1.0] * 20 + [3.0] * 10)
    logits = np.stack([np.zeros_like(margins), margins], axis=1).astype(np.float32)
    targets = np.repeat([0, 1], [1000, 30])
    threshold = -fit_biases(RECALL, logits, targets, PRIOR)[1]
    assert threshold > 1.0  # 500 false alarms otherwise
    assert np.isfinite(threshold)


@pytest.mark.parametrize(("n", "rate", "most"), [(298, 0.01, -1), (299, 0.01, 0), (1000, 0.02, 12)])
def test_few_items_allow_few_false_alarms(n: int, rate: float, most: int) -> None:
    assert most_false_alarms(n, rate) == most
    assert fewest_items(0.01) == 299
