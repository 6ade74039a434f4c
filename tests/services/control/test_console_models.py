"""What the console says of models that workers refuse, or that are worse than their cards."""

from pathlib import Path

import msgspec
from ounce_schemas.errors import BrokerError
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.model_store import ModelStore
from ounce_services.control.fleet import HIDDEN
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings
from ounce_services.registry.topic import ServedModels

from tests.services.control.conftest import MemoryTopics, logged_in
from tests.support.edge.ladders import DIGITS, write_ladder, write_model
from tests.support.edge.stores import in_service, put_release

RETIRE = "`ounce models retire digits a` withdraws it"


def tell(topics: MemoryTopics, kind: EventKind, subject: str, text: str) -> None:
    """Have a worker tell something."""
    event = OperationalEvent(kind, "digits", subject, text, 1_000_000, "edge-1")
    topics.events.append(msgspec.json.encode(event))


def put_two_releases(settings: ControlSettings, folder: Path) -> tuple[str, str]:
    """Digests of two releases of one ladder, whose model a differs."""
    ladder = write_ladder(folder / "ladders", DIGITS, "a", "b")
    store = ModelStore(str(settings.store))
    first = put_release(store, ladder)
    write_model(ladder, DIGITS, "a", "another a")
    return first, put_release(store, ladder)


def test_a_release_that_a_worker_refuses_is_not_said_to_serve(
    plane: Plane, settings: ControlSettings, topics_in_memory: MemoryTopics, tmp_path: Path
) -> None:
    good, bad = put_two_releases(settings, tmp_path)
    topics_in_memory.served["digits"] = in_service(bad, 2)
    ann = logged_in(plane)
    tell(topics_in_memory, EventKind.MODELS_CHANGED, good[:12], "catalogue 1 serves")
    assert "serves as number 2" in ann.get("/models").text
    assert "Models that need a look" not in ann.get("/").text
    tell(topics_in_memory, EventKind.MODELS_REFUSED, bad[:12], "a: ended with signal 8")
    text = ann.get("/models").text
    assert f"<strong>{bad[:12]}</strong> is to serve as number 2" in text
    assert f"<td>{good[:12]}</td>" in text
    for page in (text, ann.get("/").text):
        assert "a: ended with signal 8" in page
        assert "edge-1" in page
    [line] = ann.get("/v1/models/digits/workers").json()
    assert (line["worker"], line["release"], line["refuses"]) == ("edge-1", good[:12], True)
    assert line["troubles"] == ["a: ended with signal 8"]
    assert ann.get("/v1/models/bearing/workers").json() == []
    other = logged_in(plane, "viewer", tenant="acme").get("/models").text
    assert "signal 8" not in other
    assert HIDDEN in other


def test_a_model_that_is_worse_is_shown_with_its_command_until_it_is_withdrawn(
    plane: Plane, settings: ControlSettings, topics_in_memory: MemoryTopics, tmp_path: Path
) -> None:
    good, worse = put_two_releases(settings, tmp_path)
    topics_in_memory.served["digits"] = in_service(worse, 2)
    version = {f.place: f.sha256[:12] for f in plane.models.release("digits", worse).release.files}
    text = f"labels contradict the card of model a, version {version['a/model.onnx']}: {RETIRE}"
    tell(topics_in_memory, EventKind.MODEL_WORSE, "a", text)
    ann = logged_in(plane)
    for path in ("/", "/models"):
        assert RETIRE in ann.get(path).text
    assert "serves as number 2" in ann.get("/models").text
    topics_in_memory.served["digits"] = in_service(good, 3)
    for path in ("/", "/models"):
        assert RETIRE not in ann.get(path).text


def test_workers_that_read_a_folder_are_shown_too(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    tell(topics_in_memory, EventKind.MODEL_WORSE, "a", f"version 0123456789ab: {RETIRE}")
    text = logged_in(plane).get("/models").text
    assert RETIRE in text
    assert "No release serves." in text


def test_where_nobody_tells_what_serves_the_page_fleet_still_shows_the_workers(
    settings: ControlSettings, topics_in_memory: MemoryTopics
) -> None:
    tell(topics_in_memory, EventKind.POLICY_CHANGED, "v1", "")
    tell(topics_in_memory, EventKind.MODEL_WORSE, "a", f"version 0123456789ab: {RETIRE}")

    def refuse() -> ServedModels:
        raise BrokerError("topic ounce.models: not authorized")

    plane = make_plane(settings, topics_in_memory, refuse)
    text = logged_in(plane).get("/").text
    plane.database.close()
    assert "ounce.models: not authorized" in text
    assert "edge-1" in text
