"""A real mosquitto, and the clients of devices."""

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.process.child import Child, free_port

_TIMEOUT_S = 60.0


class MosquittoUnavailableError(Exception):
    """This machine has no mosquitto program."""


class Mosquitto:
    """A running broker; a context manager. Its port and data stay the same over restarts.

    Args:
        options: lines of its configuration; without one about logins, anybody may connect.
    """

    def __init__(self, options: Sequence[str] = ("allow_anonymous true",)) -> None:
        """Prepare it; nothing runs yet.

        Raises:
            MosquittoUnavailableError: there is no `mosquitto` on PATH.
        """
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            raise MosquittoUnavailableError("no mosquitto on PATH (Debian package: mosquitto)")
        self._program = program
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="ounce-mosquitto-"))
        (self.folder / "mosquitto.conf").write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    f"user {_own_user()}",
                    "persistence true",
                    f"persistence_location {self.folder}/",
                    "max_inflight_messages 1000",
                    "max_queued_messages 0",
                    "set_tcp_nodelay true",
                    *options,
                    "",
                ]
            )
        )
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """As a gateway takes it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens.

        Raises:
            RuntimeError: it ended, or does not listen in time.
        """
        child = self._child = Child(
            [self._program, "-c", str(self.folder / "mosquitto.conf")],
            log=self.folder / "mosquitto.log",
        )
        deadline = time.monotonic() + _TIMEOUT_S
        while child.running and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"mosquitto does not listen:\n{child.log_tail()}")

    def stop(self) -> None:
        """Stop it in order; it keeps its sessions."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """Stop it as a crash would (SIGKILL); it keeps what it has saved."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class MqttDevice:
    """A device that publishes and listens; a context manager.

    Args:
        port: of the broker.
        topics: to listen to.
        version: of MQTT.
        session: client id of a session that outlives the connection, of MQTT 5.
        login: user and password.
    """

    def __init__(
        self,
        port: int,
        topics: Sequence[str] = (),
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        session: str | None = None,
        **login: str,
    ) -> None:
        self._topics = topics
        self._news = threading.Condition()
        self.heard: list[mqtt.MQTTMessage] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=session, protocol=version)
        self._session: dict[str, Any] = {}
        if session is not None:
            lasts = Properties(PacketTypes.CONNECT)
            lasts.SessionExpiryInterval = int(_TIMEOUT_S) * 10
            self._session = {"clean_start": False, "properties": lasts}
        if login:
            self._client.username_pw_set(**login)
        self._client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Self:
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: (
            client.subscribe([(topic, 1) for topic in self._topics])
            if self._topics
            else subscribed.set()
        )
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", self._port, **self._session)
        self._client.loop_start()
        assert subscribed.wait(_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        **properties: Any,
    ) -> None:
        """Publish, and wait until the broker has it.

        Args:
            topic: where.
            payload: what.
            qos: quality of service.
            retain: whether the broker keeps it.
            properties: of MQTT 5, as the client names them.
        """
        about = None
        if properties:
            about = Properties(PacketTypes.PUBLISH)
            for name, value in properties.items():
                setattr(about, name, value)
        self._client.publish(topic, payload, qos, retain, about).wait_for_publish(_TIMEOUT_S)

    def wait_for(self, n: int) -> list[mqtt.MQTTMessage]:
        """The first `n` messages that were heard."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= n, _TIMEOUT_S), self.heard
            return self.heard[:n]

    def _on_message(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        with self._news:
            self.heard.append(message)
            self._news.notify_all()


def _own_user() -> str:
    return Path.home().owner()
