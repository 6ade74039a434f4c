"""The connection with the MQTT broker: what comes in, in order, and what goes out.

QoS 1 is acknowledged by hand and in order (MQTT 5, section 4.6), so a message that is not safe yet
holds back the acknowledgements of later ones. The broker then sends at most its window ahead.
"""

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ounce_edge.gateway.arrivals import Arrived
from ounce_edge.gateway.mqtt_tls import MqttTls
from ounce_edge.gateway.replies import Reply
from ounce_edge.gateway.settings import GatewaySettings

logger = logging.getLogger(__name__)

_SESSION_S = 7 * 86_400
"""So long the broker keeps what comes for a gateway that is away, where it has room."""
_KEEPALIVE_S = 30
_DONT_SEND_RETAINED = 2
_SHORT_S = 10.0
_OFTEN = 3
"""So many connections in a row that were this short: two clients may throw each other out."""
_MOST_AT_ONCE = 500
"""Answers under way."""


class Session:
    """Receives and publishes; reconnects by itself.

    Args:
        settings: where the broker is, and how to log in.
        filters: topics to subscribe to.
    """

    def __init__(self, settings: GatewaySettings, filters: Sequence[str]) -> None:
        self._is_5 = settings.mqtt_version == "5"
        share = f"$share/{settings.group}/" if settings.group else ""
        self._filters = [share + text for text in filters]
        self._host, self._port, is_tls = settings.mqtt_address
        self._name = settings.own_name
        self._connected_s, self._n_short = 0.0, 0
        self._most_bytes = round(settings.max_waiting_mb * 1e6)
        self._window = settings.mqtt_window
        self.trouble: str | None = "MQTT is not connected yet"
        self.at_once = _MOST_AT_ONCE
        """How many answers may be under way."""
        self._news = threading.Condition()
        self._inbox: deque[Arrived] = deque()
        self._unacknowledged: deque[Arrived] = deque()
        self._left_over: dict[int, Arrived] = {}
        """Unacknowledged when the connection was lost: they will come again."""
        self._held_bytes = 0
        self._unconfirmed: deque[mqtt.MQTTMessageInfo] = deque()
        self._is_closing = False
        self._tls = MqttTls(settings) if is_tls else None
        self._client = self._make_client(settings)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def _make_client(self, settings: GatewaySettings) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"ounce-{settings.own_name}",
            clean_session=None if self._is_5 else False,
            protocol=mqtt.MQTTv5 if self._is_5 else mqtt.MQTTv311,
            manual_ack=True,
        )
        client.max_inflight_messages_set(0)  # `at_once` holds; paho's search takes a batch squared
        client.username_pw_set(settings.mqtt_username, settings.mqtt_login)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 10)
        return client

    def start(self) -> None:
        """Connect, and go on trying."""
        properties = None
        if self._is_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _SESSION_S
            properties.ReceiveMaximum = self._window
        self._client.connect_async(
            self._host, self._port, _KEEPALIVE_S, clean_start=False, properties=properties
        )
        self._thread.start()

    def close(self) -> None:
        """Leave; the broker keeps what comes meanwhile."""
        with self._news:
            self._is_closing = True
            self._news.notify_all()
        self._client.disconnect()
        self._thread.join(5)

    def take(self, wait_s: float) -> list[Arrived]:
        """What came since, in order; waits for the first. What is finished is acknowledged."""
        self._acknowledge()
        with self._news:
            if not self._inbox:
                self._news.wait(wait_s)
            taken = list(self._inbox)
            self._inbox.clear()
            return taken

    def finish(self, arrived: Arrived) -> None:
        """It is safe, or refused: it is acknowledged once all before it are, with the next
        `take`."""
        with self._news:
            arrived.is_done = True
            if not arrived.qos:
                self._release(arrived)

    @property
    def n_unconfirmed(self) -> int:
        """Answers that the broker has not confirmed."""
        while self._unconfirmed and self._unconfirmed[0].is_published():
            self._unconfirmed.popleft()
        return len(self._unconfirmed)

    def publish(
        self,
        reply: Reply,
        body: bytes,
        content_type: str | None,
        properties: Sequence[tuple[str, str]],
    ) -> None:
        """Send an answer, once the connection is there.

        Args:
            reply: where.
            body: the answer.
            content_type: of the body, for MQTT 5.
            properties: user properties, likewise.
        """
        about = None
        if self._is_5:
            about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if reply.correlation is not None:
                about.CorrelationData = reply.correlation
            if content_type is not None:
                about.ContentType = content_type
            if properties:
                about.UserProperty = [*properties]
        info = self._client.publish(reply.topic, body, qos=1, properties=about)
        info.rc = mqtt.MQTT_ERR_SUCCESS  # what the connection did not take is sent by the next one
        self._unconfirmed.append(info)

    def _run(self) -> None:
        while not self._is_closing:
            try:
                self._client.loop_forever(retry_first_connection=True)
            except Exception as e:  # the client's own, or what it can't read
                self.trouble = f"MQTT client: {e!r}"
                logger.exception("the MQTT client failed; it is started again")
                time.sleep(1)

    def _acknowledge(self) -> None:
        """The client is called without our lock: it calls back while it holds its own."""
        finished = []
        with self._news:
            while self._unacknowledged and self._unacknowledged[0].is_done:
                finished.append(self._unacknowledged.popleft())
                self._release(finished[-1])
        for arrived in finished:
            self._client.ack(arrived.mid, arrived.qos)

    def _release(self, arrived: Arrived) -> None:
        self._held_bytes -= arrived.size_bytes
        self._news.notify_all()

    def _on_message(self, client: Any, _: Any, message: mqtt.MQTTMessage) -> None:
        arrived = _arrived(message)
        with self._news:
            before = self._left_over.pop(arrived.mid, None) if message.dup else None
            if before is not None and _is_same(before, arrived):
                arrived = before
            else:
                self._inbox.append(arrived)
                self._news.notify_all()
            self._held_bytes += arrived.size_bytes
            if arrived.qos:
                self._unacknowledged.append(arrived)
            while self._held_bytes > self._most_bytes and not self._is_closing:
                self._news.wait(1)

    def _on_connect(
        self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._tell(f"MQTT at {self._host}:{self._port} refuses: {reason}")
            return
        self._connected_s = time.monotonic()
        if not flags.session_present:
            self._left_over.clear()
        self.at_once = min(_MOST_AT_ONCE, getattr(properties, "ReceiveMaximum", _MOST_AT_ONCE))
        options = SubscribeOptions(qos=1, retainHandling=_DONT_SEND_RETAINED)
        topics: list[Any] = [(text, options if self._is_5 else 1) for text in self._filters]
        client.subscribe(topics)

    def _on_subscribe(self, client: Any, _: Any, mid: int, reasons: Any, properties: Any) -> None:
        refused = [text for text, r in zip(self._filters, reasons, strict=False) if r.is_failure]
        if refused:
            self._tell(f"MQTT refuses subscriptions to {', '.join(refused)}: check its rights")
            return
        self.trouble = None
        logger.info("listening to %s at %s:%d", ", ".join(self._filters), self._host, self._port)

    def _on_connect_fail(self, client: Any, _: Any) -> None:
        why = None
        if self._tls is not None:
            why, self._tls.trouble = self._tls.trouble, None
        told = f"MQTT at {self._host}:{self._port} can't be reached"
        self._tell(f"{told}: {why}" if why else told)

    def _on_disconnect(self, client: Any, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._news:
            for arrived in self._unacknowledged:
                self._held_bytes -= arrived.size_bytes
                self._left_over[arrived.mid] = arrived
            self._unacknowledged.clear()
        is_short = time.monotonic() - self._connected_s < _SHORT_S
        self._n_short = self._n_short + 1 if is_short else 0
        if not self._is_closing and self.trouble is None:  # else it was told why
            why = "the connection broke" if str(reason) == "Unspecified error" else reason
            if self._n_short >= _OFTEN:
                why = f"{why}; is another gateway called {self._name}? give each its own --name"
            self._tell(f"MQTT at {self._host}:{self._port} is lost: {why}")

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            logger.warning("%s", trouble)
        self.trouble = trouble


def _without_delay(client: Any, _: Any, connection: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _arrived(message: mqtt.MQTTMessage) -> Arrived:
    try:
        topic: str | None = message.topic
    except UnicodeDecodeError:
        topic = None
    about = message.properties
    return Arrived(
        topic,
        bytes(message.payload),
        int(time.time() * 1e3),
        message.qos,
        message.mid,
        message.retain,
        getattr(about, "ContentType", None),
        getattr(about, "ResponseTopic", None),
        getattr(about, "CorrelationData", None),
        getattr(about, "UserProperty", ()),
    )


def _is_same(one: Arrived, other: Arrived) -> bool:
    return (one.topic, one.payload) == (other.topic, other.payload)
