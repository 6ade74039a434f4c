"""Other models are put in service while the worker serves; bad ones change nothing."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.models.reload import Reload
from ounce_edge.worker.models.watching import ModelWatching
from ounce_edge.worker.serving.serving import Serving
from ounce_schemas.event import EventKind
from ounce_schemas.policy import Policy

from tests.support.edge.ladders import DIGITS, NUMBERS, FakeRecord, write_ladder, write_model
from tests.support.edge.pipelines import GOOD, NOW_S, process, second_label
from tests.support.edge.serving import FakeDelivery, serving_of

POLICY = Policy(version="p1", min_accuracy=0.5)


class Bench:
    """A worker's serving over a folder of fake models, and what it tells."""

    def __init__(self, models: Path, **fakes: FakeModel) -> None:
        self.models, self.folder = models, write_ladder(models, DIGITS, *fakes)
        self.fakes = fakes
        self.runtime = FakeRuntime(self.fakes)
        ladder = load_ladder(models, "digits", self.runtime)
        edition = Edition(ladder, POLICY.for_task("digits"), lambda m: card_belief(m.card))
        self.pipeline = Pipeline(edition, clocks=Clocks(lambda: NOW_S, lambda: 52.0))
        self.metrics = Metrics()
        self.metrics.describe("p1", [ladder])
        self.serving: Serving = serving_of(
            self.pipeline, delivery=FakeDelivery(), metrics=self.metrics
        )
        self.events: list[tuple[EventKind, str]] = []
        told = Events(lambda key, value, headers: None, self.metrics.observe_event)
        tell = told.tell

        def keep(kind: EventKind, task: str, subject: str, text: str) -> None:
            self.events.append((kind, text))
            tell(kind, task, subject, text)

        told.tell = keep  # type: ignore[method-assign]
        self.told = told
        self.reload = Reload(self.serving, self.runtime, told)

    def take(self) -> bool:
        return self.reload.take("digits", self.models)

    def answer(self, offset: int = 7, floor: bytes = b"0.5") -> Any:
        asked = FakeRecord(GOOD, [("ce_minaccuracy", floor)], offset_=offset)
        (record,), _ = process(self.pipeline, asked)
        return msgspec.json.decode(record[1])

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"task": "digits", **labels})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    own = Bench(tmp_path, a=FakeModel(DIGITS), b=FakeModel(DIGITS))
    yield own
    own.serving.close()


def test_a_new_model_answers_from_the_next_batch_on(bench: Bench) -> None:
    first = bench.answer()
    version = bench.pipeline.ladder.version
    bench.fakes["c"] = FakeModel(DIGITS, second_label)
    write_model(bench.folder, DIGITS, "c", "model c", accuracy=0.99)
    assert bench.take()
    second = bench.answer(8, floor=b"0.96")
    assert [first["model_name"], second["model_name"]] == ["a", "c"]
    after = bench.pipeline.ladder.version
    catalogues = [a["parameters"]["catalogue_version"] for a in (first, second)]
    assert catalogues == [version, after]
    assert version != after
    ((kind, text),) = bench.events
    assert kind is EventKind.MODELS_CHANGED
    assert text.startswith(f"catalogue {after} serves in place of {version}; new: c ")
    assert bench.sample("ounce_catalogue_info", version=version) is None
    assert bench.sample("ounce_catalogue_info", version=after) == 1.0
    assert bench.sample("ounce_editions_total") == 1.0


def test_a_model_that_goes_takes_its_memory_and_its_gauges_along(bench: Bench) -> None:
    bench.serving.tell()
    assert bench.sample("ounce_plan_accuracy_low", plan="b") is not None
    gone = weakref.ref(bench.fakes.pop("b"))
    for path in (bench.folder / "b").iterdir():
        path.unlink()
    (bench.folder / "b").rmdir()
    assert bench.take()
    bench.serving.tell()
    for metric in ("ounce_plan_accuracy_low", "ounce_plan_expected_accuracy"):
        assert bench.sample(metric, plan="b") is None
        assert bench.sample(metric, plan="a") is not None
    for metric in ("ounce_model_memory_bytes", "ounce_model_suspended"):
        assert bench.sample(metric, model="b") is None
        assert bench.sample(metric, model="a") is not None
    bench.answer()
    gc.collect()
    assert gone() is None


def test_a_bad_model_is_refused_by_name_and_the_good_one_of_its_name_goes_on(bench: Bench) -> None:
    before = bench.pipeline.ladder
    (bench.folder / "b" / "model.onnx").write_bytes(b"half of it")
    assert bench.take()
    assert [m.loaded for m in bench.pipeline.ladder.models] == [m.loaded for m in before.models]
    kind, text = bench.events[0]
    assert kind is EventKind.MODEL_REFUSED
    assert "model b is refused" in text
    assert "is not the card's" in text
    assert text.endswith("that served goes on")
    assert bench.sample("ounce_models_refused") == 1.0
    bench.events.clear()
    write_model(bench.folder, DIGITS, "b", "whole")
    assert bench.take()
    assert [kind for kind, _ in bench.events] == [EventKind.MODELS_CHANGED]
    assert bench.sample("ounce_models_refused") == 0.0


def test_a_card_of_another_task_is_refused(bench: Bench) -> None:
    bench.fakes["c"] = FakeModel(NUMBERS)
    write_model(bench.folder, NUMBERS, "c", "model c")
    assert bench.take()
    kind, text = bench.events[0]
    assert (kind, "is the card of numbers/c, not of digits/c" in text) == (
        EventKind.MODEL_REFUSED,
        True,
    )
    assert [m.card.model for m in bench.pipeline.ladder.models] == ["a", "b"]


@pytest.mark.parametrize("change", ["task", "labels", "folder"])
def test_a_change_that_nothing_of_can_serve_leaves_all_as_it_was(bench: Bench, change: str) -> None:
    before = bench.pipeline.edition
    if change == "task":
        (bench.folder / "task.json").write_text("{half")
    elif change == "labels":
        other = DIGITS.model_copy(update={"labels": ("one", "two")})
        (bench.folder / "task.json").write_text(other.model_dump_json())
    else:
        bench.folder.rename(bench.models / "away")
    assert not bench.take()
    assert bench.pipeline.edition is before
    ((kind, text),) = bench.events
    assert kind is EventKind.MODELS_REFUSED
    assert bench.sample("ounce_models_refused") == 1.0
    assert text.endswith("what served goes on")
    assert bench.answer()["model_name"] == "a"


def test_what_is_refused_is_shown_until_models_come_and_not_until_a_policy_does(
    bench: Bench,
) -> None:
    (bench.folder / "task.json").write_text("{half")
    assert not bench.take()
    before = bench.pipeline.edition
    after = before.under(Policy(version="p2", min_accuracy=0.5).for_task("digits"))
    assert bench.serving.replace_edition(before, after)
    assert bench.sample("ounce_models_refused") == 1.0
    (bench.folder / "task.json").write_text(DIGITS.model_dump_json())
    bench.events.clear()
    assert bench.take()
    assert bench.sample("ounce_models_refused") == 0.0
    [(kind, text)] = bench.events
    assert kind is EventKind.MODELS_CHANGED
    version = bench.pipeline.ladder.version
    assert text.startswith(f"catalogue {version} goes on: ")


def test_another_card_of_the_same_model_is_told(bench: Bench) -> None:
    write_model(bench.folder, DIGITS, "b", "model b", accuracy=0.87)
    assert bench.take()
    [(_, text)] = bench.events
    assert text.endswith("the same models, with other cards or plans")


def test_a_policy_that_changes_while_models_load_stays(bench: Bench) -> None:
    write_model(bench.folder, DIGITS, "b", "another b")
    later = Policy(version="p2", min_accuracy=0.5).for_task("digits")
    first = bench.pipeline.edition

    class Meanwhile(FakeModel):
        def run(self, inputs: Any) -> Any:
            if bench.pipeline.edition is first:
                after = Edition(first.ladder, later, lambda m: card_belief(m.card))
                assert bench.serving.replace_edition(first, after)
            return super().run(inputs)

    bench.fakes["b"] = Meanwhile(DIGITS)
    assert bench.take()
    edition = bench.pipeline.edition
    assert edition.policy.version == "p2"
    assert edition.ladder.models[1].loaded is bench.fakes["b"]


def test_what_was_learned_of_a_model_goes_on_and_a_new_one_starts_from_its_card(
    bench: Bench,
) -> None:
    plans = bench.pipeline.plans
    for i in range(20):
        plans.observe_call(0, 1, 3.0, 50.0 + i * 0.01)
    plans.accuracy.observe_labels(0, 10, 190, 50.0)
    plans.accuracy.observe_labels(1, 10, 190, 50.0)
    plans.suspend(0, 51.0)
    plans.overhead.observe(100, 7.0, 5.0)
    plans.view(52.0)
    believed = plans.accuracy.value.tolist()
    assert believed[0] < 0.2
    [told] = bench.pipeline.edition.watch.look_at_accuracy(52.0)
    assert told.text.startswith("plan a is believed")
    write_model(bench.folder, DIGITS, "b", "another b", accuracy=0.9)
    assert bench.take()
    after = bench.pipeline.plans
    assert after is not plans
    assert after.models[0].latency.level == plans.models[0].latency.level > 2.0
    assert after.models[1].latency.level == 1.0
    assert after.models[0].suspension.is_open(51.5)
    assert after.overhead.item_ms == plans.overhead.item_ms > 0.0
    assert after.accuracy.value.tolist() == [believed[0], 0.9]
    after.accuracy.refresh(53.0)
    assert after.accuracy.value[0] == pytest.approx(believed[0], abs=1e-3)
    assert after.accuracy.value[1] == 0.9
    assert bench.pipeline.edition.watch.look_at_accuracy(53.0) == []  # it was told already


def test_what_was_not_told_before_other_models_came_is_told_after_the_minute(bench: Bench) -> None:
    accuracy, watch = bench.pipeline.plans.accuracy, bench.pipeline.edition.watch
    accuracy.observe_labels(1, 10, 190, 50.0)
    accuracy.refresh(52.0)
    assert [told.subject for told in watch.look_at_accuracy(52.0)] == ["b"]
    accuracy.observe_labels(0, 10, 190, 53.0)
    accuracy.refresh(54.0)
    assert watch.look_at_accuracy(54.0) == []
    write_model(bench.folder, DIGITS, "b", "another b", accuracy=0.9)
    assert bench.take()
    watch = bench.pipeline.edition.watch
    assert watch.look_at_accuracy(111.0) == []
    assert [told.subject for told in watch.look_at_accuracy(112.0)] == ["a"]


def test_a_watched_folder_is_taken_once_it_is_whole(bench: Bench) -> None:
    watching = ModelWatching(bench.models, ["digits"])
    version = bench.pipeline.ladder.version
    bench.fakes["c"] = FakeModel(DIGITS)
    (bench.folder / "c").mkdir()
    for size in (1, 2, 3):
        (bench.folder / "c" / "model.onnx").write_bytes(b"m" * size)
        watching.look(bench.reload)
    assert (bench.events, bench.pipeline.ladder.version) == ([], version)
    write_model(bench.folder, DIGITS, "c", "model c")
    watching.look(bench.reload)
    assert bench.events == []
    watching.look(bench.reload)
    assert [kind for kind, _ in bench.events] == [EventKind.MODELS_CHANGED]
    watching.look(bench.reload)
    assert len(bench.events) == 1
