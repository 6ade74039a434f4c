"""A floor that no plan is sure of is told when a worker starts, not when answers miss it."""

from ounce_edge.telemetry.metrics import Metrics
from ounce_schemas.event import EventKind
from ounce_schemas.measure import Measure

from tests.support.edge.ladders import DIGITS, served
from tests.support.edge.pipelines import pipeline
from tests.support.edge.serving import FakeDelivery, serving_of


def told(accuracy: float) -> dict[str, float]:
    metrics = Metrics()
    serving = serving_of(
        pipeline(served(DIGITS, "a", accuracy=accuracy)), delivery=FakeDelivery(), metrics=metrics
    )
    serving.tell_unmet_floors()
    return {
        sample.labels["kind"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "ounce_events_total" and sample.value
    }


def test_it_is_told_before_any_request() -> None:
    assert told(0.85) == {EventKind.FLOOR_UNREACHABLE: 1}
    assert told(0.99) == {}


def test_the_text_proposes_a_floor_and_names_the_measure() -> None:
    incident = pipeline(served(DIGITS, "a", accuracy=0.85)).edition.unmet_floor()
    assert incident is not None
    assert incident.text == (
        "no plan is sure to reach the policy's floor of 0.9 (accuracy): the best is sure of "
        "0.8300, so every message that names no floor gets a fallback; set min_accuracy of task "
        "digits to 0.83 or less in the policy"
    )
    measure = Measure(kind="recall", label="zwölf", false_alarms=0.01)
    task = DIGITS.model_copy(update={"measure": measure})
    incident = pipeline(
        served(task, "a", accuracy=0.85), task=task, min_accuracy=0.95
    ).edition.unmet_floor()
    assert incident is not None
    assert "floor of 0.95 (recall of 'zwölf' at 1% false alarms)" in incident.text


def test_a_floor_that_a_plan_is_sure_of_is_no_news() -> None:
    assert (
        pipeline(served(DIGITS, "a", accuracy=0.85), min_accuracy=0.83).edition.unmet_floor()
        is None
    )
