"""Which release each worker serves, and why not the one that is asked for, as its events tell."""

import msgspec
import pytest
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_services.registry.display import worker_lines
from ounce_services.registry.workers import WorkerModels, read_workers

from tests.support.edge.stores import in_service

GOOD, BAD = "a" * 64, "b" * 64
VERSION = "0123456789ab"
WORSE = f"labels contradict the card of model mlp, version {VERSION}: `ounce models retire`"


def told(
    kind: EventKind, subject: str, text: str = "why", worker: str = "w", at_ms: int = 7000
) -> bytes:
    """An event of a worker, as it stands in the topic."""
    return msgspec.json.encode(OperationalEvent(kind, "digits", subject, text, at_ms, worker))


def read(*events: bytes) -> WorkerModels:
    """What is known of the one worker that tells."""
    [worker] = read_workers(events)
    return worker


def test_a_release_that_is_refused_as_a_whole_leaves_the_one_before() -> None:
    worker = read(
        told(EventKind.MODELS_CHANGED, GOOD[:12]),
        told(EventKind.MODEL_REFUSED, "mlp", "first"),
        told(EventKind.MODELS_REFUSED, BAD[:12], "no model can serve"),
    )
    assert (worker.release, worker.asked) == (GOOD[:12], BAD[:12])
    assert worker.whys(in_service(BAD)) == ["no model can serve"]
    assert worker.whys(in_service(GOOD)) == ()  # it was told of another one


def test_a_model_that_is_refused_is_one_of_the_release_that_comes_next() -> None:
    events = [
        told(EventKind.MODELS_CHANGED, GOOD[:12]),
        told(EventKind.MODEL_REFUSED, "mlp", "crashes"),
        told(EventKind.MODELS_CHANGED, BAD[:12]),
    ]
    assert read(*events).whys(in_service(BAD)) == ["crashes"]
    restored = read(*events, told(EventKind.MODELS_CHANGED, GOOD[:12]))
    assert restored.whys(in_service(GOOD)) == []


def test_workers_that_read_a_folder_are_asked_for_no_release() -> None:
    worker = read(told(EventKind.MODELS_REFUSED, "models", "task.json is broken"))
    assert (worker.release, worker.asked) == (None, None)
    assert worker.whys(None) == ["task.json is broken"]
    assert worker.whys(in_service(GOOD)) == ()


def test_a_model_is_worse_until_a_change_names_its_version() -> None:
    events = [told(EventKind.MODEL_WORSE, "mlp", WORSE)]
    assert read(*events).worse == {VERSION: WORSE}
    events.append(told(EventKind.MODELS_CHANGED, "models", "new: cnn ffffffffffff"))
    assert read(*events).worse == {VERSION: WORSE}
    events.append(told(EventKind.MODELS_CHANGED, "models", f"replaced: mlp {VERSION} by x"))
    assert read(*events).worse == {}


def test_other_events_and_other_records_say_nothing_of_models() -> None:
    assert read_workers([None, b"{half", told(EventKind.OVERLOAD, "requests")]) == []
    two = read_workers(told(EventKind.MODELS_CHANGED, GOOD[:12], worker=w) for w in "ba")
    assert [worker.worker for worker in two] == ["a", "b"]


def test_what_was_refused_of_the_folder_is_none_of_the_release_that_comes_next() -> None:
    events = [
        told(EventKind.MODEL_REFUSED, "mlp", "crashes"),
        told(EventKind.MODELS_CHANGED, "models"),
    ]
    assert read(*events).whys(None) == ["crashes"]
    assert read(*events, told(EventKind.MODELS_CHANGED, GOOD[:12])).whys(in_service(GOOD)) == []


@pytest.mark.parametrize("at_ms", [2**63 - 1, -(2**63)])
def test_anybody_may_write_any_time_and_any_name_of_a_worker(at_ms: int) -> None:
    worker = read(told(EventKind.MODELS_CHANGED, GOOD[:12], "why", "w\n\x1b[2J", at_ms))
    *_, line = worker_lines(in_service(GOOD), [worker])
    assert line.startswith("worker   w")
    assert line.isprintable()
