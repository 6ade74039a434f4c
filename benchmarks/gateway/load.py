"""A process that publishes for many devices at a steady rate, and hears their answers.

It prints one line of JSON at its end: how many messages the MQTT broker has acknowledged, and how
long answers took.
"""

import json
import threading
import time
from collections import deque
from typing import Any

import click
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.process.wait import wait_until

LAST_S = 30.0
CONNECTIONS = 4


class Load:
    """Some connections that send for all devices.

    Args:
        port: of the MQTT broker.
        first: number of the first message; only answers from it on are timed.
        listens: whether answers are heard.
    """

    def __init__(self, port: int, first: int, listens: bool) -> None:
        self.latencies_s: list[float] = []
        self._first = first
        self._hears = threading.Event()
        if not listens:
            self._hears.set()
        self._under_way: deque[mqtt.MQTTMessageInfo] = deque()
        self._clients = [self._connect(port, listens and not i) for i in range(CONNECTIONS)]

    def _connect(self, port: int, listens: bool) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        client.max_inflight_messages_set(0)
        client.on_message = self._on_message
        if listens:
            client.on_connect = lambda c, *_: c.subscribe("answers/#", 0)
            client.on_subscribe = lambda *_: self._hears.set()
        client.connect("127.0.0.1", port)
        client.loop_start()
        return client

    def run(self, task: str, devices: int, count: int, per_s: float) -> None:
        """Send `count` messages; a device's go by one connection."""
        began_s = time.monotonic()
        for k in range(count):
            ahead_s = k / per_s - (time.monotonic() - began_s)
            if ahead_s > 0.002:
                time.sleep(ahead_s)
            i = self._first + k
            body = b'{"i": %d, "at": %.6f}' % (i, time.time())
            device = i % devices
            client = self._clients[device % CONNECTIONS]
            self._under_way.append(client.publish(f"sensors/d{device}/{task}", body, 1))
            while self._under_way and self._under_way[0].is_published():
                self._under_way.popleft()

    def wait_until_connected(self) -> None:
        """Return once every connection stands, and answers are heard where they are to be."""
        wait_until(
            lambda: self._hears.is_set() and all(c.is_connected() for c in self._clients),
            lambda: "MQTT takes no connection",
        )

    def finish(self) -> int:
        """Wait for acknowledgements; how many are missing."""
        deadline = time.monotonic() + LAST_S
        while time.monotonic() < deadline and not all(m.is_published() for m in self._under_way):
            time.sleep(0.05)
        return sum(not m.is_published() for m in self._under_way)

    def _on_message(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        if body["i"] >= self._first:  # answers to what was stored before are heard as well
            self.latencies_s.append(time.time() - body["at"])


@click.command(context_settings={"show_default": True})
@click.option("--port", type=int, required=True, help="Port of the MQTT broker.")
@click.option("--task", required=True, help="Task to ask.")
@click.option("--devices", type=int, default=10_000, help="Devices that send in turn.")
@click.option("--first", type=int, default=0, help="Number of the first message.")
@click.option("--count", type=int, required=True, help="Messages to send.")
@click.option("--per-s", type=float, default=5000.0, help="Messages a second.")
@click.option("--listen", is_flag=True, help="Hear the answers, and wait for the last.")
def main(  # noqa: PLR0913  one for each option
    port: int, task: str, devices: int, first: int, count: int, per_s: float, listen: bool
) -> None:
    """Publish for many devices.

    Example: python -m benchmarks.gateway.load --port 1883 --task digits --count 50000
    """
    load = Load(port, first, listen)
    load.wait_until_connected()
    began_s = time.monotonic()
    load.run(task, devices, count, per_s)
    took_s = time.monotonic() - began_s
    n_missing = load.finish()
    deadline = time.monotonic() + LAST_S * listen
    while time.monotonic() < deadline and len(load.latencies_s) < count:
        time.sleep(0.1)
    click.echo(
        json.dumps(
            {
                "acknowledged": count - n_missing,
                "per_s": count / took_s,
                "latencies_s": [round(s, 4) for s in load.latencies_s],
            }
        )
    )


if __name__ == "__main__":
    main()
