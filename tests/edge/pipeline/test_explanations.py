"""Answers say what each input contributed, where a request or a rule asks for it."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.plans import PlanProfile
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, card, explained, served
from tests.support.edge.pipelines import (
    GOOD,
    HEAVY,
    LIGHT,
    NOW_S,
    Clock,
    pipeline,
    prediction,
    process,
    raises,
)

ASKS = ("ce_explanation", b"true")
MIDDLE = {"accuracy": 0.95, "ms_per_item": 0.5}


def asks(*headers: tuple[str, bytes], value: bytes = GOOD, offset: int = 7) -> FakeRecord:
    return FakeRecord(value, [ASKS, *headers], offset_=offset)


def answer(serving: Pipeline, record: FakeRecord) -> Prediction:
    published, _ = process(serving, record)
    return prediction(published[0])


def data(found: Prediction) -> dict[str, list[Any]]:
    return {output.name: list(output.data) for output in found.outputs}


def test_an_answer_holds_contributions_only_where_they_are_asked_for() -> None:
    serving = pipeline(explained(DIGITS, "a"))
    plain, asked = answer(serving, FakeRecord(GOOD)), answer(serving, asks(offset=8))
    assert "contributions" not in data(plain)
    assert plain.parameters.explanation is plain.parameters.not_explained is None
    found = data(asked)
    assert found["contributions"] == [1.0, 2.0, 3.0, 4.0]
    assert found["explained_inputs"] == ["x0", "x1", "x2", "x3"]
    assert found["explained_base"] == [0.5]
    assert (found["label"], asked.model_name) == (data(plain)["label"], plain.model_name)
    assert (asked.parameters.explanation, asked.parameters.explained) == ("exact", "log-odds")
    model = serving.edition.models[0]
    assert model.explained is not None
    sizes = [m.loaded.batch_sizes for m in (model, model.explained)]  # type: ignore[attr-defined]
    assert sizes == [[1], [1]]  # each message costs one call


def test_a_rule_may_ask_and_a_message_may_say_no() -> None:
    rules = [{"name": "acme", "when": {"tenant": "acme"}, "explanation": True}]
    serving = pipeline(explained(DIGITS, "a"), rules=rules)
    acme = ("ce_tenant", b"acme")
    heads = [[acme], [acme, ("ce_explanation", b"false")], []]
    records = [FakeRecord(GOOD, head, offset_=i) for i, head in enumerate(heads)]
    published, _ = process(serving, *records)
    found = {
        p.id.rsplit("/", 1)[-1]: "contributions" in data(p) for p in map(prediction, published)
    }
    assert list(found.values()).count(True) == 1
    assert found[min(found)] is True


def test_a_model_that_explains_comes_before_a_lighter_one_that_does_not() -> None:
    serving = pipeline(served(DIGITS, "light", **LIGHT), explained(DIGITS, "heavy", **MIDDLE))
    floor = ("ce_minaccuracy", b"0.8")
    assert answer(serving, FakeRecord(GOOD, [floor])).model_name == "light"
    found = answer(serving, asks(floor, offset=8))
    assert (found.model_name, found.parameters.not_explained) == ("heavy", None)


@pytest.mark.parametrize("target", [("ce_maxlatencyms", b"21"), ("ce_minaccuracy", b"0.96")])
def test_targets_come_before_explanations(target: tuple[str, bytes]) -> None:
    explains = explained(DIGITS, "a", accuracy=0.95, ms_per_item=0.5)  # 1.5 ms with it
    serving = pipeline(explains, served(DIGITS, "b", accuracy=0.99, ms_per_item=0.6))
    found = answer(serving, asks(target))
    assert found.parameters.not_explained == "targets"
    assert (found.parameters.deadline_met, found.parameters.floor_met) == (True, True)
    assert "contributions" not in data(found)


def test_where_no_model_explains_the_answer_says_so() -> None:
    found = answer(pipeline(served(DIGITS, "a")), asks())
    assert found.parameters.not_explained == "no-model"
    only = explained(DIGITS, "a", **LIGHT), served(DIGITS, "b", **HEAVY)
    denied = answer(pipeline(*only, tasks={"digits": {"deny": ["a"]}}), asks())
    assert (denied.model_name, denied.parameters.not_explained) == ("b", "no-model")


def test_what_was_to_be_explained_is_counted() -> None:
    serving = pipeline(explained(DIGITS, "a", ms_per_item=0.5), served(DIGITS, "b", **HEAVY))
    floor = ("ce_minaccuracy", b"0.96")  # which `b` alone meets
    records = [asks(), asks(offset=8), asks(floor, offset=9), FakeRecord(GOOD, offset_=10)]
    _, report = process(serving, *records)
    assert report.explanations == {"given": 2, "targets": 1}
    _, none = process(pipeline(served(DIGITS, "b")), asks())
    assert none.explanations == {"no-model": 1}


def test_the_time_of_an_explanation_is_part_of_the_decision_and_is_learned_apart() -> None:
    serving = pipeline(explained(DIGITS, "a", ms_per_item=1.0))
    edition = serving.edition
    plain, explaining = edition.routes
    state = edition.plans.renew_state(0.0)
    assert explaining.view(state).calls[0, 1].cost == pytest.approx(
        3 * plain.view(state).calls[0, 1].cost
    )
    answer(serving, asks())
    own, explains = edition.plans.models
    assert explains.latency.seen_since(0.0)
    assert not own.latency.seen_since(0.0)


@pytest.mark.parametrize(
    "fails", [raises, lambda inputs: np.full((len(inputs["input"]), 8), np.nan)]
)
def test_a_graph_that_fails_costs_the_explanation_and_not_the_answer(fails: Any) -> None:
    serving = pipeline(explained(DIGITS, "a", fails))
    records = [asks(offset=i) for i in range(12)]
    published, report = process(serving, *records)
    found = [prediction(record) for record in published]
    assert len(found) == 12
    assert {p.parameters.not_explained for p in found} == {"targets"}
    assert [i.subject for i in report.incidents] == ["a explained"]  # the model itself goes on
    assert answer(serving, FakeRecord(GOOD, offset_=20)).model_name == "a"


def test_a_cascade_explains_where_all_its_models_do() -> None:
    def profile(*models: Any) -> PlanProfile:
        return PlanProfile.model_validate(
            {
                "name": "light>heavy@0.9",
                "accuracy": {"value": 0.97, "low": 0.96, "high": 0.98, "n": 1000},
                "steps": [
                    {"model": m.card.model, "sha256": m.card.sha256, **how}
                    for m, how in zip(
                        models, ({"threshold": 0.9, "reach": 1.0}, {"reach": 0.2}), strict=True
                    )
                ],
            }
        )

    def unsure(inputs: Any) -> Any:
        rows = np.tile(np.array([0.4, 0.3, 0.3, 9.0], np.float32), (len(inputs["input"]), 1))
        return np.concatenate([rows, inputs["input"]], axis=1)

    def more_inputs(inputs: Any) -> Any:
        rows = np.tile(
            np.array([1, 0, 0, 0.5, 1, 2, 3, 4, 5], np.float32), (len(inputs["input"]), 1)
        )
        return rows

    light, heavy = explained(DIGITS, "light", unsure, **LIGHT), explained(DIGITS, "heavy", **HEAVY)
    alone = {"tasks": {"digits": {"min_accuracy": 0.955}}}
    serving = pipeline(light, heavy, plans=[profile(light, heavy)], **alone)
    found = answer(serving, asks())
    assert (found.parameters.plan, found.model_name) == ("light>heavy@0.9", "heavy")
    assert data(found)["explained_base"] == [0.5]  # of the model that answered
    more = explained(DIGITS, "heavy", more_inputs, **HEAVY)
    assert more.explained is not None
    assert more.card.explanation is not None
    own = more.card.explanation.model_copy(update={"inputs": ("x0", "x1", "x2", "x3", "x4")})
    twin = more.explained.card.model_copy(update={"explanation": own})
    more = replace(more, explained=replace(more.explained, card=twin))
    wide = pipeline(light, more, plans=[profile(light, more)], **alone)
    assert data(answer(wide, asks()))["contributions"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    half = pipeline(served(DIGITS, "light", **LIGHT), heavy, plans=[profile(light, heavy)], **alone)
    assert answer(half, asks()).parameters.plan == "heavy"


def test_another_edition_keeps_who_is_to_get_an_explanation() -> None:
    serving = pipeline(explained(DIGITS, "a"))
    outbox: list[Any] = []
    serving.admit([asks()], outbox.append)
    serving.replace_edition(pipeline(served(DIGITS, "b"), explained(DIGITS, "c")).edition)
    serving.step(outbox.append)
    (outgoing,) = outbox
    found = msgspec.json.decode(next(iter(outgoing.values)), type=Prediction)
    assert (found.model_name, found.parameters.explanation) == ("c", "exact")


def test_as_many_are_explained_as_leave_time_to_answer_the_others() -> None:
    """200 images that would take 10 s with explanations, and 0.2 s without; they have 1 s."""
    clock = Clock()
    ms = {"plain": 1.0, "with": 50.0}
    model = explained(DIGITS, "a", ms_per_item=1.0)
    assert model.explained is not None
    graph = FakeModel(DIGITS, _takes(clock, model.explained.loaded, ms["with"]))
    latency = card(DIGITS, "a", ms_per_item=ms["with"]).latency
    twin = model.explained.card.model_copy(update={"latency": latency})
    own = FakeModel(DIGITS, _takes(clock, model.loaded, ms["plain"]))
    model = replace(model, loaded=own, explained=replace(model.explained, card=twin, loaded=graph))
    serving = pipeline(model, steady=clock, clock=lambda: NOW_S + clock.now_s - 50.0)
    within = ("ce_maxlatencyms", b"1000")
    records = [asks(within, offset=i) for i in range(200)]
    for record in records:
        record.timestamp_ms = int(NOW_S * 1e3)
    found = [prediction(record) for record in process(serving, *records)[0]]
    assert len(found) == 200
    assert all(p.parameters.deadline_met for p in found)
    n_explained = sum(p.parameters.explanation is not None for p in found)
    assert 8 <= n_explained <= 16
    assert {p.parameters.not_explained for p in found} == {None, "targets"}


def _takes(clock: Clock, model: Any, ms: float) -> Any:
    def answer(inputs: Any) -> Any:
        clock.now_s += len(inputs["input"]) * ms / 1e3
        return model.run(inputs)

    return answer
