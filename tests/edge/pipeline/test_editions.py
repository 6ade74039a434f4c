"""An edition is replaced between two batches: groups under way keep theirs."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, NUMBERS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import (
    GOOD,
    edition,
    pipeline,
    process,
    second_label,
    standing_clocks,
)

WAIT_S = 60.0


def answers(outbox: Outbox) -> dict[str, Prediction]:
    """By id; none is answered twice."""
    found = [
        msgspec.json.decode(value or b"", type=Prediction) for _, value, _, _ in outbox.records
    ]
    by_id = {answer.id: answer for answer in found}
    assert len(by_id) == len(found)
    return by_id


def asks(id_: int) -> FakeRecord:
    return FakeRecord(GOOD, [("ce_id", b"%d" % id_)], offset_=id_)


def test_a_group_on_a_lane_ends_with_its_edition_and_later_ones_use_the_new(lanes: Lanes) -> None:
    go, began = threading.Event(), threading.Event()

    def waits(inputs: Any) -> Any:
        began.set()
        assert go.wait(WAIT_S)
        return second_label(inputs)

    old = edition(served(DIGITS, "old", waits, ms_per_item=8.0), version="p1")
    new = edition(served(DIGITS, "new", ms_per_item=0.01), version="p2")
    serving, outbox = Pipeline(old, clocks=standing_clocks(), lanes=lanes), Outbox()
    serving.admit([asks(0)], outbox)
    serving.step(outbox)
    assert began.wait(WAIT_S)
    serving.admit([asks(1), asks(2)], outbox)  # they wait, since the lane is busy
    serving.step(outbox)
    assert (len(outbox.records), serving.n_open) == (0, 3)
    serving.replace_edition(new)
    serving.admit([asks(3)], outbox)
    serving.step(outbox, Turn(slice_ms=100.0))
    assert sorted(answers(outbox)) == ["1", "2", "3"]
    go.set()
    while serving.n_open:
        lanes.wait(WAIT_S)
        report = serving.step(outbox)
    found = answers(outbox)
    assert report.next_offsets == {3: 4}
    told = {
        i: (a.model_name, a.parameters.policy_version, a.outputs[0].data[0])
        for i, a in found.items()
    }
    assert told.pop("0") == ("old", "p1", 'o"ne')
    assert set(told.values()) == {("new", "p2", "zero")}
    # What the old model's call took is believed of the old model.
    assert old.plans.models[0].latency.seen_since(0.0)
    assert [call.model for call in report.calls] == ["old"]


def test_each_edition_counts_on_its_own_models_and_is_what_is_shown() -> None:
    light, heavy = served(DIGITS, "light", ms_per_item=0.01), served(DIGITS, "heavy")
    serving = pipeline(light)
    process(serving, asks(0))
    serving.replace_edition(edition(light, heavy, min_accuracy=0.1))
    process(serving, asks(1))
    assert light.loaded.batch_sizes == [1, 1]
    assert [plan.name for plan in serving.snapshot().plans] == ["light", "heavy"]
    assert [m.card.model for m in serving.ladder.models] == ["light", "heavy"]


def test_an_edition_of_another_task_is_refused() -> None:
    serving = pipeline(served(DIGITS, "a"))
    with pytest.raises(ValueError, match="of task numbers can't replace one of digits"):
        serving.replace_edition(edition(served(NUMBERS, "a"), task=NUMBERS))
    other = DIGITS.model_copy(update={"labels": ("one", "two")})
    with pytest.raises(ValueError, match="unless the two tasks are equal"):
        serving.replace_edition(edition(served(other, "a"), task=other))


def test_labels_teach_the_plan_that_answered_also_in_a_later_edition() -> None:
    kept, gone = served(DIGITS, "kept"), served(DIGITS, "gone")
    changed = replace(gone, card=gone.card.model_copy(update={"sha256": "0" * 64}))
    for model, other, teaches in ((kept, kept, True), (gone, changed, False)):
        serving = pipeline(model)
        process(serving, *(asks(i) for i in range(100)))
        serving.replace_edition(edition(other))
        before = serving.plans.accuracy.value[0]
        outcomes = serving.learn([Label(str(i), label="zwölf") for i in range(100)]).outcomes
        serving.plans.accuracy.refresh(1.0)
        assert outcomes[LabelOutcome.JOINED] == 100
        assert bool(serving.plans.accuracy.value[0] < before) is teaches


def test_decisions_of_each_edition_are_recorded_with_its_own_plans(tmp_path: Path) -> None:
    first, second = edition(served(DIGITS, "one")), edition(served(DIGITS, "two"), version="p2")
    serving = Pipeline(
        first, clocks=standing_clocks(), log=DecisionLog(tmp_path, first.log_header())
    )
    outbox = Outbox()
    serve(serving, [asks(0)], outbox)
    serving.replace_edition(second)
    serve(serving, [asks(1)], outbox)
    serving.close()
    found = [
        (header.policy_version, header.tables.names, entry.json_ids)
        for header, entry in read_decisions(tmp_path, "digits")
    ]
    assert found == [("p1", ["one"], [b'"0"']), ("p2", ["two"], [b'"1"'])]


def test_labels_speak_against_a_file_by_the_name_that_releases_have() -> None:
    on_gpu = replace(served(DIGITS, "net-gpu", accuracy=0.95), runtime="cuda")
    serving = pipeline(served(DIGITS, "net", accuracy=0.95), on_gpu, served(DIGITS, "tree-gpu"))
    plans = serving.edition.plans
    [p] = [p for p, plan in enumerate(plans.plans) if plan.name == "net-gpu"]
    plans.accuracy.observe_labels(p, 10, 190, 0.0)
    plans.accuracy.refresh(0.0)
    assert serving.snapshot().worse == {"net": True, "tree-gpu": False}
    [told] = serving.edition.watch.look_at_worse()
    assert told.subject == "net"
