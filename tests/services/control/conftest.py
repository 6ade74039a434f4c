"""A control plane over topics in memory, and calls to it."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient
from ounce_schemas.errors import BrokerError, PolicyError
from ounce_schemas.policy_history import PolicyHistory, PolicyVersion
from ounce_schemas.release import InService
from ounce_schemas.topics import canaries_topic
from ounce_services.control.access.principal import Role
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings


class MemoryTopics:
    """Stands for the topics of policies and of models."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.served: dict[str, InService] = {}
        self.events: list[bytes] = []
        self.canaries: list[tuple[bytes, bytes]] = []
        self.made: list[str] = []
        self.is_away = False

    def history(self) -> PolicyHistory:
        self._answer()
        history = PolicyHistory()
        for record in self.records:
            history.take(record)
        return history

    def write(self, version: PolicyVersion) -> None:
        self._answer()
        self.records.append(version.model_dump_json().encode())
        written = self.history().versions.get(version.number)
        if written is None or written.id != version.id:
            raise PolicyError("somebody wrote it meanwhile")

    def read(self, topic: str = "") -> Any:
        self._answer()
        if not topic:
            return dict(self.served)
        records = self.canaries if topic == canaries_topic() else [(None, e) for e in self.events]
        return iter([SimpleNamespace(key=lambda k=k: k, value=lambda v=v: v) for k, v in records])

    def make_topics(self, names: Iterable[str]) -> None:
        self.made.extend(names)

    def put(self, served: InService) -> None:
        self._answer()
        self.served[served.task] = served

    def _answer(self) -> None:
        if self.is_away:
            raise BrokerError("Kafka is away")


@pytest.fixture(scope="session", autouse=True)
def one_event_loop() -> Iterator[None]:
    """For the calls of all clients: to begin one for each call would take most of its time."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


@pytest.fixture
def topics_in_memory() -> MemoryTopics:
    return MemoryTopics()


def settings_in(folder: Path) -> ControlSettings:
    """Of a control plane that keeps all in a folder and reaches no Kafka."""
    return ControlSettings(
        kafka="127.0.0.1:1",
        kafka_timeout_s=0.1,
        state=folder / "state.db",
        models=folder / "models",
        store=str(folder / "store"),
        calls_per_minute=100_000,
    )


@pytest.fixture
def settings(tmp_path: Path) -> ControlSettings:
    return settings_in(tmp_path)


@pytest.fixture
def plane(settings: ControlSettings, topics_in_memory: MemoryTopics) -> Iterator[Plane]:
    plane = make_plane(settings, topics_in_memory, lambda: topics_in_memory)
    yield plane
    plane.database.close()


def logged_in(plane: Plane, role: str = "editor", tenant: str | None = None) -> TestClient:
    """A browser that is logged in to the console with a key of a role."""
    key, _ = plane.gate.keys.make("ann", Role(role), tenant)
    client = TestClient(make_app(plane))
    answer = client.post("/login", data={"key": f" {key} "}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert key not in cookie
    return client


Caller = Callable[..., TestClient]


def caller_of(plane: Plane) -> Caller:
    """Calls with a key of a role, perhaps of one tenant."""

    def make(
        role: str | None = "admin", tenant: str | None = None, name: str = "ann"
    ) -> TestClient:
        client = TestClient(make_app(plane), raise_server_exceptions=True)
        if role is not None:
            key, _ = plane.gate.keys.make(name, Role(role), tenant)
            client.headers["Authorization"] = f"Bearer {key}"
        return client

    return make


@pytest.fixture
def as_(plane: Plane) -> Caller:
    return caller_of(plane)
