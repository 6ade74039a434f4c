"""What `ounce.models` says is put in service; what can't be had is tried again, and named."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ounce_edge.models.catalogue import Ladder, Trial, load_ladder
from ounce_edge.models.release_cache import ReleaseCache
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_edge.worker.models.beginning import Beginning, Source, begin_with
from ounce_edge.worker.models.following import ModelFollowing
from ounce_edge.worker.models.reload import Reload
from ounce_edge.worker.models.sources import ModelSources
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.errors import ArtifactError, OunceError
from ounce_schemas.event import EventKind
from ounce_schemas.model_store import ModelStore
from ounce_schemas.models_page import TaskModels
from ounce_schemas.release import InService

from tests.edge.worker.models.test_reload import Bench
from tests.support.edge.ladders import DIGITS, write_model
from tests.support.edge.stores import in_service, put_release


def _fails(inputs: Any) -> Any:
    raise RuntimeError("broken")


class Runtime(FakeRuntime):
    """Fake models, of which those run that are not written as bad ones."""

    def load(self, path: Path, content: bytes) -> LoadedModel:
        good = super().load(path, content)
        return FakeModel(DIGITS, _fails) if content.startswith(b"bad") else good


class Topic:
    """Says what a test wants."""

    def __init__(self) -> None:
        self.served: dict[str, InService] = {}

    def latest(self) -> dict[str, InService]:
        return self.served


class Fleet(Bench):
    """A worker that follows a store."""

    def __init__(self, top: Path) -> None:
        super().__init__(top / "models", a=FakeModel(DIGITS), b=FakeModel(DIGITS))
        self.store = ModelStore(str(top / "store"))
        self.place = top / "cache"
        self.now_s = 0.0
        self.topic = Topic()
        self.following = self.start()
        self.runtime: Any = Runtime(self.fakes)
        self.page = ModelsPage()
        self.reload = self.make_reload()

    def make_reload(self, trial: Trial | None = None) -> Reload:
        reload = Reload(
            self.serving, self.runtime, self.told, page=self.page,
            first_trial=lambda: nullcontext(trial),
        )  # fmt: skip
        reload.released = self.cache.serves
        return reload

    def start(self, tasks: Any = ("digits",)) -> ModelFollowing:
        self.cache = ReleaseCache(self.store, self.place, 1_000_000, ())
        topic: Any = self.topic
        return ModelFollowing(topic, self.cache, tasks, lambda: self.now_s)

    def begin(self) -> Beginning:
        """As a worker starts."""

        def load(folder: Path, serving: Ladder | None) -> Ladder:
            return load_ladder(folder, "digits", self.runtime, serving=serving)

        self.events.clear()
        sources = self.following.begin(self.topic.served)["digits"]
        begun = begin_with(sources, load)
        self.reload.begin("digits", begun)
        return begun

    @property
    def shown(self) -> TaskModels:
        """What the worker's page says."""
        [shown] = msgspec.json.decode(self.page.body(), type=list[TaskModels])
        return shown

    def publish(self) -> str:
        digest = put_release(self.store, self.folder)
        self.topic.served["digits"] = in_service(digest)
        return digest

    def look(self) -> list[EventKind]:
        self.events.clear()
        self.following.look(self.reload)
        return [kind for kind, _ in self.events]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_published_release_serves_once_and_is_what_the_next_start_begins_with(
    fleet: Fleet,
) -> None:
    assert fleet.following.begin({}) == {}
    assert fleet.look() == []
    fleet.fakes["c"] = FakeModel(DIGITS)
    write_model(fleet.folder, DIGITS, "c", "model c")
    digest = fleet.publish()
    assert [fleet.look(), fleet.look()] == [[EventKind.MODELS_CHANGED], []]
    assert fleet.following.released == {"digits"}
    names = [m.card.model for m in fleet.pipeline.ladder.models]
    assert names == ["a", "b", "c"]
    [sources] = fleet.start().begin(fleet.topic.served).values()
    assert sources.first == Source(fleet.place / "releases" / digest, digest)


def test_a_store_that_is_away_is_told_and_tried_again_until_it_is_back(fleet: Fleet) -> None:
    write_model(fleet.folder, DIGITS, "b", "another b")
    fleet.publish()
    store = Path(fleet.store.url)
    store.rename(store.with_name("away"))
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    text = fleet.events[0][1]
    assert "is not there" in text
    assert text.endswith("what served goes on, trying again in 2 s")
    assert fleet.look() == []  # not before its time
    fleet.now_s = 1.1
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    store.with_name("away").rename(store)
    assert fleet.look() == []
    fleet.now_s = 3.2
    assert fleet.look() == [EventKind.MODELS_CHANGED]


def test_a_start_without_the_store_begins_with_what_served_last(fleet: Fleet) -> None:
    digest = fleet.publish()
    fleet.begin()
    write_model(fleet.folder, DIGITS, "b", "another b")
    asked = fleet.publish()
    store = Path(fleet.store.url)
    store.rename(store.with_name("away"))
    fleet.following = fleet.start()
    begun = fleet.begin()
    assert begun.source == Source(fleet.place / "releases" / digest, digest)
    assert fleet.events[-1][0] is EventKind.MODELS_REFUSED
    assert (fleet.shown.release, fleet.shown.asked) == (digest, asked)
    assert "is not there" in fleet.shown.why
    store.with_name("away").rename(store)
    fleet.now_s = 1.1
    assert fleet.look() == [EventKind.MODELS_CHANGED]
    assert (fleet.shown.release, fleet.shown.asked, fleet.shown.why) == (asked, asked, "")


def test_a_start_that_has_nothing_says_what_is_lacking(fleet: Fleet) -> None:
    fleet.topic.served["digits"] = in_service("0" * 64)
    with pytest.raises(ArtifactError, match="release 000000000000 is not there"):
        fleet.following.begin(fleet.topic.served)


def test_a_release_that_is_absent_costs_no_other_task_anything(fleet: Fleet) -> None:
    fleet.following = fleet.start(["other", "digits"])
    write_model(fleet.folder, DIGITS, "b", "another b")
    fleet.publish()
    fleet.topic.served["other"] = in_service("0" * 64, task="other")
    assert fleet.look() == [EventKind.MODELS_REFUSED, EventKind.MODELS_CHANGED]
    assert "release 000000000000 is not there" in fleet.events[0][1]


def test_a_release_that_can_not_serve_leaves_what_served(fleet: Fleet) -> None:
    before = fleet.pipeline.edition
    other = DIGITS.model_copy(update={"labels": ("one", "two")})
    (fleet.folder / "task.json").write_text(other.model_dump_json())
    fleet.publish()
    assert fleet.look() == [EventKind.MODELS_REFUSED]
    assert fleet.pipeline.edition is before
    assert fleet.start().begin({}) == {}


def test_a_store_needs_a_key_or_that_none_is_needed(tmp_path: Path) -> None:
    settings = WorkerSettings(task=("digits",), kafka="h:1", models_store=str(tmp_path))
    with pytest.raises(OunceError, match="--models-store needs --models-key"):
        ModelSources(settings, Metrics())
    absent = settings.model_copy(update={"models_key": (tmp_path / "absent.pub",)})
    with pytest.raises(OunceError, match=r"absent\.pub: no such file"):
        ModelSources(absent, Metrics())


def test_a_worker_that_checks_signatures_says_what_it_needs_before_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    key = tmp_path / "k.pub"
    key.touch()
    settings = WorkerSettings(
        task=("digits",), kafka="h:1", models_store=str(tmp_path), models_key=(key,)
    )
    with pytest.raises(OunceError, match=r'pip install "ounce\[signing\]"'):
        ModelSources(settings, Metrics())


def test_two_workers_do_not_share_a_cache(tmp_path: Path) -> None:
    settings = WorkerSettings(
        task=("digits",),
        kafka="h:1",
        models_store=str(tmp_path / "store"),
        models_unsigned=True,
        models_cache=tmp_path / "cache",
    )
    first = ModelSources(settings, Metrics())
    with pytest.raises(OunceError, match=r"another worker uses .* --models-cache of its own"):
        ModelSources(settings, Metrics())
    first.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(OunceError, match=r"--models-cache .*file"):
        ModelSources(settings.model_copy(update={"models_cache": tmp_path / "file"}), Metrics())
