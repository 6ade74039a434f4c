"""A release that is refused is not one that serves: a start knows it, and so do people."""

from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.catalogue import NotTriedError, load_ladder
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.worker.models.beginning import Beginning, Source
from ounce_edge.worker.models.watching import ModelWatching
from ounce_schemas.errors import ArtifactError
from ounce_schemas.event import EventKind

from tests.edge.worker.models.test_following import Fleet
from tests.support.edge.ladders import DIGITS, write_model
from tests.support.edge.stores import in_service


class Short:
    """A trial that lacks memory at first, for one model or for all."""

    def __init__(self, only: bytes | None = None) -> None:
        self.is_short = True
        self._only = only

    def __call__(self, path: Path, content: bytes, *_: Any) -> None:
        if self.is_short and self._only in (None, content):
            raise NotTriedError(f"{path}: no room")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_release_that_is_refused_is_not_what_the_next_start_begins_with(fleet: Fleet) -> None:
    good = fleet.publish()
    fleet.begin()
    for name in ("a", "b"):
        write_model(fleet.folder, DIGITS, name, f"bad {name}")
    bad = fleet.publish()
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    assert (fleet.shown.release, fleet.shown.asked) == (good, bad)
    assert "does not run" in fleet.shown.why
    fleet.following = fleet.start()
    begun = fleet.begin()
    assert begun.source.release == good
    assert [kind for kind, _ in fleet.events] == [
        EventKind.MODELS_CHANGED,
        EventKind.MODELS_REFUSED,
    ]
    assert (fleet.shown.release, fleet.shown.asked) == (good, bad)
    assert fleet.look() == []


def test_where_a_part_of_a_release_is_refused_a_start_takes_that_of_the_one_before(
    fleet: Fleet,
) -> None:
    good = fleet.publish()
    fleet.begin()
    before = {m.card.model: m.card.version for m in fleet.pipeline.ladder.models}
    write_model(fleet.folder, DIGITS, "a", "another a")
    write_model(fleet.folder, DIGITS, "b", "bad b")
    asked = fleet.publish()
    assert fleet.look() == [EventKind.MODEL_REFUSED, EventKind.MODELS_CHANGED]
    assert fleet.shown.release == asked
    [refused] = fleet.shown.refused
    assert refused.startswith("b: ")
    after = {m.card.model: m.card.version for m in fleet.pipeline.ladder.models}
    fleet.following = fleet.start()
    begun = fleet.begin()
    assert {m.card.model: m.card.version for m in begun.ladder.models} == after
    assert (after["a"] != before["a"], after["b"]) == (True, before["b"])
    assert [kind for kind, _ in fleet.events] == [
        EventKind.MODEL_REFUSED,
        EventKind.MODELS_CHANGED,
    ]
    assert fleet.cache.last("digits") == fleet.place / "releases" / good


def test_a_start_takes_the_models_of_another_task_without_those_of_the_one_before(
    fleet: Fleet,
) -> None:
    fleet.publish()
    fleet.begin()
    labels = (*DIGITS.labels[:-1], "twelve")
    other = DIGITS.model_copy(update={"labels": labels})
    write_model(fleet.folder, other, "b", "bad b")
    (fleet.folder / "task.json").write_text(other.model_dump_json())
    asked = fleet.publish()
    fleet.following = fleet.start()
    begun = fleet.begin()
    assert begun.source.release == asked
    assert begun.ladder.task.labels == labels
    assert [line.split(":")[0] for line in begun.ladder.refused] == ["b"]


def test_a_first_release_that_served_in_part_is_better_than_none(fleet: Fleet) -> None:
    write_model(fleet.folder, DIGITS, "b", "bad b")
    first = fleet.publish()
    fleet.begin()
    fleet.topic.served = {"digits": in_service("f" * 64)}  # the store does not have it
    fleet.following = fleet.start()
    begun = fleet.begin()
    assert (begun.source.release, begun.asked) == (first, "f" * 64)
    assert [m.card.model for m in begun.ladder.models] == ["a"]


def test_a_first_release_of_which_nothing_serves_says_why(fleet: Fleet) -> None:
    for name in ("a", "b"):
        write_model(fleet.folder, DIGITS, name, f"bad {name}")
    fleet.publish()
    with pytest.raises(ArtifactError, match=r"no model can serve: a: .*does not run"):
        fleet.begin()
    assert fleet.cache.last("digits") is None


def test_what_served_last_helps_nobody_where_it_was_changed(fleet: Fleet) -> None:
    good = fleet.publish()
    fleet.begin()
    (fleet.place / "releases" / good / "digits" / "a" / "model.onnx").write_text("changed")
    for name in ("a", "b"):
        write_model(fleet.folder, DIGITS, name, f"bad {name}")
    fleet.publish()
    fleet.following = fleet.start()
    with pytest.raises(ArtifactError, match="no model can serve"):
        fleet.begin()


def test_a_release_that_lacked_memory_serves_once_it_was_tried(fleet: Fleet) -> None:
    fleet.publish()
    fleet.begin()
    trial = Short()
    fleet.reload = fleet.make_reload(trial)
    watching = ModelWatching(fleet.models, ["digits"], clock=lambda: fleet.now_s)
    for name in ("a", "b"):
        write_model(fleet.folder, DIGITS, name, f"another {name}")
    asked = fleet.publish()
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    tried_at_s = []
    for second in range(0, 2000, 20):
        fleet.now_s = float(second)
        fleet.events.clear()
        watching.look_again(fleet.reload)
        if fleet.events:
            tried_at_s.append(second)
    assert tried_at_s == [60, 180, 420, 900, 1860]
    trial.is_short = False
    fleet.now_s = 3780.0
    fleet.events.clear()
    watching.look_again(fleet.reload)
    assert [kind for kind, _ in fleet.events] == [EventKind.MODELS_CHANGED]
    assert fleet.cache.last("digits") == fleet.place / "releases" / asked
    fleet.now_s = 10_000.0
    fleet.events.clear()
    watching.look_again(fleet.reload)
    assert fleet.events == []


def test_a_model_that_lacked_memory_joins_the_others_or_is_refused_for_good(
    fleet: Fleet,
) -> None:
    fleet.publish()
    fleet.begin()
    why: type[ArtifactError] | None = NotTriedError

    def trial(path: Path, *_: Any) -> None:
        if why is not None:
            raise why(f"{path}: {why.__name__}")

    fleet.reload = fleet.make_reload(trial)
    fleet.fakes["c"] = FakeModel(DIGITS)
    write_model(fleet.folder, DIGITS, "c", "model c")
    fleet.publish()
    assert fleet.look() == [EventKind.MODEL_REFUSED, EventKind.MODELS_CHANGED]
    fleet.events.clear()
    fleet.reload.again("digits")
    assert (fleet.events, fleet.reload.may_find_more("digits")) == ([], True)
    why = ArtifactError
    fleet.reload.again("digits")
    assert "model c is refused: " in fleet.events[0][1]
    assert "ArtifactError" in fleet.events[0][1]
    assert not fleet.reload.may_find_more("digits")
    why = None
    fleet.reload.again("digits")
    assert [m.card.model for m in fleet.pipeline.ladder.models] == ["a", "b", "c"]


def test_what_is_refused_stays_known_where_what_serves_becomes_more(fleet: Fleet) -> None:
    trial = Short(b"model c")
    fleet.publish()
    fleet.begin()
    fleet.reload = fleet.make_reload(trial)
    fleet.fakes["c"] = FakeModel(DIGITS)
    write_model(fleet.folder, DIGITS, "c", "model c")
    good = fleet.publish()
    fleet.look()
    for name in ("a", "b", "c"):
        write_model(fleet.folder, DIGITS, name, f"bad {name}")
    bad = fleet.publish()
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    trial.is_short = False
    fleet.events.clear()
    fleet.reload.again("digits")
    assert fleet.shown.models.keys() == {"a", "b", "c"}
    assert (fleet.shown.release, fleet.shown.asked) == (good, bad)
    assert "does not run" in fleet.shown.why
    assert [kind for kind, _ in fleet.events] == [
        EventKind.MODELS_CHANGED,
        EventKind.MODELS_REFUSED,
    ]
    for name in ("a", "b", "c"):
        write_model(fleet.folder, DIGITS, name, f"another {name}")
    mended = fleet.publish()
    assert fleet.look() == [EventKind.MODELS_CHANGED]
    assert (fleet.shown.release, fleet.shown.asked, fleet.shown.why) == (mended, mended, "")


def test_one_that_lacked_memory_is_left_where_another_is_asked_for(fleet: Fleet) -> None:
    good = fleet.publish()
    fleet.begin()
    trial = Short()
    fleet.reload = fleet.make_reload(trial)
    for name in ("a", "b"):
        write_model(fleet.folder, DIGITS, name, f"another {name}")
    fleet.publish()
    fleet.look()
    assert fleet.reload.may_find_more("digits")
    fleet.topic.served = {"digits": in_service("f" * 64)}  # the store does not have it
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    trial.is_short = False
    fleet.reload.again("digits")
    assert not fleet.reload.may_find_more("digits")
    assert fleet.cache.last("digits") == fleet.place / "releases" / good
    assert fleet.shown.asked == "f" * 64


def test_what_is_refused_of_the_folder_at_a_start_is_told_apart_from_what_comes_next(
    fleet: Fleet,
) -> None:
    write_model(fleet.folder, DIGITS, "b", "bad b")
    ladder = load_ladder(fleet.folder.parent, "digits", fleet.runtime)
    fleet.reload.begin("digits", Beginning(ladder, Source(fleet.folder.parent), ""))
    assert [kind for kind, _ in fleet.events] == [EventKind.MODEL_REFUSED, EventKind.MODELS_CHANGED]
    write_model(fleet.folder, DIGITS, "b", "a good b")
    fleet.publish()
    assert fleet.look() == [EventKind.MODELS_CHANGED]
