"""Reasons: each with the figure that it says."""

from typing import Literal

from ounce_exporters.advisor.reasons import reasons
from ounce_schemas.advice import (
    Arm,
    Band,
    CurvePoint,
    Decision,
    Plan,
    Verdict,
)
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.exporters.advice import LOOK

TASK = TaskSpec(
    name="t",
    kind="classification",
    description="t",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(4,)),),
    labels=("a", "b"),
)


def estimate(value: float, half: float = 0.01) -> AccuracyEstimate:
    return AccuracyEstimate(value=value, low=value - half, high=value + half, n=1000)


def arm(
    name: str,
    accuracy: float,
    *,
    ahead: tuple[float, ...] = (),
    family: Literal["classical", "neural"] = "classical",
    interpretable: bool = False,
) -> Arm:
    return Arm(
        model=name,
        family=family,
        interpretable=interpretable,
        curve=(CurvePoint(n_rows=1000, train=accuracy + 0.08, validation=accuracy),),
        forecast=tuple(
            Band(n_rows=n, value=v, low=v - 0.02, high=v + 0.02)
            for n, v in zip((2000, 4000, 10_000), ahead, strict=False)
        ),
        accuracy=estimate(accuracy),
    )


def told(*arms: Arm, groups: dict[str, AccuracyEstimate] | None = None) -> dict[str, str]:
    plan = Plan(models=(arms[0].model,), accuracy=estimate(0.8), counted_ns=10)
    decision = Decision(verdict=Verdict.CLASSICAL, plan=plan, best=arms[0].model)
    return {reason.topic: reason.text for reason in reasons(TASK, LOOK, arms, decision, groups)}


def test_the_crossing_of_curves_is_told_by_rows() -> None:
    tree = arm("gradient-boosting", 0.80, ahead=(0.81, 0.82, 0.83))
    network = arm("mlp", 0.76, ahead=(0.79, 0.84, 0.86), family="neural")

    assert "cross at about 3,000 rows" in told(tree, network)["data size"]
    assert "2 times the rows +1.0 (-1.0 to +3.0)" in told(tree, network)["scalability"]


def test_no_forecast_is_said() -> None:
    found = told(arm("gradient-boosting", 0.8), arm("mlp", 0.7, family="neural"))

    assert "can't be told" in found["data size"]
    assert "no forecast" in found["scalability"]


def test_a_network_that_ended_early_is_told() -> None:
    network = arm("mlp", 0.7, family="neural").model_copy(
        update={"accuracy": None, "stopped": "at most 0.72 to expect, ridge at least 0.79"}
    )

    forest = arm("random-forest", 0.78).model_copy(update={"accuracy": None, "stopped": "too low"})

    assert told(arm("ridge", 0.8), forest, network)["data size"] == (
        "mlp ended at 1,000 rows: at most 0.72 to expect, ridge at least 0.79"
    )


def test_a_glass_box_and_an_overfitted_model_have_their_price() -> None:
    found = told(arm("random-forest", 0.8), arm("logistic-regression", 0.77, interpretable=True))

    assert "logistic-regression, costs 3.0 points" in found["interpretability"]
    assert found["overfitting"] == (
        "random-forest is 8.0 points better on rows that it learned from than on others; it has "
        "learned much of them by heart"
    )
    assert "trees are +3.0 points" in found["structure"]


def test_models_that_are_level_are_told_so() -> None:
    glass = arm("ridge", 0.8, interpretable=True)
    found = told(arm("random-forest", 0.8003), glass)

    assert "ridge, is level with random-forest" in found["interpretability"]
    assert "trees are level with smooth models here" in found["structure"]


def test_curves_of_models_that_are_level_may_cross_at_once() -> None:
    tree = arm("gradient-boosting", 0.80, ahead=(0.81, 0.82, 0.83))
    network = arm("mlp", 0.80, ahead=(0.82, 0.84, 0.86), family="neural")

    assert told(tree, network)["data size"] == (
        "at 1,000 rows gradient-boosting is level with mlp; from about 1,000 on mlp is forecast "
        "ahead"
    )


def test_models_that_stay_level_do_not_cross() -> None:
    tree = arm("gradient-boosting", 0.80, ahead=(0.82, 0.83, 0.84))
    network = arm("mlp", 0.80, ahead=(0.82, 0.83, 0.84), family="neural")

    assert told(tree, network)["data size"] == (
        "at 1,000 rows gradient-boosting is level with mlp; no crossing is in sight up to 10 times "
        "the rows"
    )


def test_models_that_are_level_may_part_later() -> None:
    tree = arm("gradient-boosting", 0.80, ahead=(0.82, 0.82, 0.83))
    network = arm("mlp", 0.80, ahead=(0.81, 0.83, 0.86), family="neural")

    said = told(tree, network)["data size"]
    where = int(said.split("from about ")[1].split()[0].replace(",", ""))
    assert where > 1500


def test_a_model_that_learned_nothing_by_heart_is_told() -> None:
    forest = arm("random-forest", 0.8)
    point = CurvePoint(n_rows=1000, train=0.79, validation=0.8)

    assert told(forest.model_copy(update={"curve": (point,)}))["overfitting"] == (
        "random-forest is no better on rows that it learned from than on others"
    )


def test_groups_of_few_judged_rows_are_not_told_apart() -> None:
    found = told(arm("ridge", 0.8), groups={"site=(all smaller groups)": estimate(0.9)})

    assert found["fairness"] == (
        "groups can't be told apart: all judged rows are of site=(all smaller groups)"
    )


def test_groups_that_are_alike_are_not_told_apart() -> None:
    groups = {"site=a": estimate(0.9), "site=b": estimate(0.9, half=0.05)}

    assert told(arm("ridge", 0.8), groups=groups)["fairness"] == (
        "accuracy of ridge is 0.900 (0.850 to 0.950) for site=b, as for all other groups; of it "
        "the least is known"
    )


IMAGES = LOOK.model_copy(update={"structure": "image", "shape": (28, 28, 1)})


def of_images(*arms: Arm) -> dict[str, str]:
    plan = Plan(models=(arms[0].model,), accuracy=estimate(0.8), counted_ns=10)
    decision = Decision(verdict=Verdict.DEEP, plan=plan, best=arms[0].model)
    return {r.topic: r.text for r in reasons(TASK, IMAGES, arms, decision, None)}


def test_networks_of_images_are_told_apart_and_have_a_start_to_gain_from() -> None:
    network = arm("cnn", 0.90, ahead=(0.93, 0.94, 0.95), family="neural")
    found = of_images(network, arm("random-forest", 0.85))

    assert found["structure"] == (
        "images of 28 x 28 pixels, grey; networks are +5.0 points against models of single pixels "
        "here"
    )
    assert (
        "as many labels as there are (1,000) is forecast to give +3.0 points" in found["transfer"]
    )
    assert "0.95%" in found["prior"]


def test_a_start_of_unknown_worth_is_told() -> None:
    found = of_images(arm("cnn", 0.90, family="neural"))

    assert "can't be told: its curve has no forecast" in found["transfer"]


def test_images_are_called_so_and_no_network_raced() -> None:
    found = of_images(arm("random-forest", 0.85, ahead=(0.86, 0.87, 0.88)))

    assert found["transfer"].endswith("no network raced")
    assert "2 times the images" in found["scalability"]
    assert "on images that it learned from" in found["overfitting"]
    assert not any("row" in text for text in found.values())


def test_a_table_has_no_pretrained_start() -> None:
    assert told(arm("ridge", 0.8))["transfer"].startswith("no pretrained start")


def test_columns_that_are_not_there_are_not_counted() -> None:
    plain = LOOK.model_copy(update={"n_texts": 0, "skewed": 0, "heavy_tailed": 0})
    decision = Decision(verdict=Verdict.NEITHER_YET, best="ridge")
    found = {r.topic: r.text for r in reasons(TASK, plain, [arm("ridge", 0.8)], decision, None)}

    assert found["structure"] == "a table of 3 numbers; no column is skewed or heavy-tailed"


def test_skewed_and_heavy_tailed_columns_are_counted_apart() -> None:
    """A column may be both."""
    assert "skewed columns: 1, heavy-tailed: 1" in told(arm("ridge", 0.8))["structure"]


def test_a_race_without_networks_leaves_the_crossing_open() -> None:
    assert told(arm("ridge", 0.8), arm("random-forest", 0.7))["data size"] == (
        "no network raced: which kind more rows favour can't be told"
    )


def test_what_rounds_to_nothing_is_no_loss() -> None:
    found = told(arm("ridge", 0.8, ahead=(0.7999, 0.80, 0.8001)))

    assert "2 times the rows no measurable difference (-2.0 to +2.0)" in found["scalability"]


def test_a_race_without_readable_models_says_so() -> None:
    assert told(arm("mahalanobis", 0.8))["interpretability"] == (
        "no model that raced is one that a person can read"
    )


def test_groups_are_told_apart_where_their_intervals_are() -> None:
    found = told(arm("ridge", 0.8), groups={"site=a": estimate(0.9), "site=b": estimate(0.7)})

    assert found["fairness"] == (
        "accuracy of ridge is 0.700 (0.690 to 0.710) for site=b, 0.900 (0.890 to 0.910) for "
        "site=a: 20.0 points; the intervals are apart"
    )
