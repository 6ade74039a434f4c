"""Devices that send through everything, and note what the broker took and when."""

import random
import threading
import time
from functools import partial
from queue import Empty, SimpleQueue

from confluent_kafka import KafkaError, Message, Producer
from ounce_schemas.topics import requests_topic
from ounce_services.devices.fleet import FleetShape, OutgoingRequest, draw_requests
from ounce_services.devices.pacing import Pace
from ounce_services.devices.samples import Samples
from ounce_services.devices.targets import Targets

from trials.chaos.corrupt import corrupt_record

_TICK_S = 0.01
_FLUSH_S = 60.0
_QUIET = {"log_level": 0}
"""Of librdkafka: that the broker is away is what these runs are about."""


class ChaosFleet:
    """Sends on a thread of its own until it is stopped; only then its notes are complete.

    Args:
        servers: where the broker listens for devices.
        samples: inputs to send.
        mix: targets of the messages.
        seed: of everything drawn.
        rate_per_s: outside of bursts, which are five times as fast for a second in ten.
    """

    def __init__(
        self,
        servers: str,
        samples: Samples,
        mix: tuple[Targets, ...],
        *,
        seed: int,
        rate_per_s: float,
    ) -> None:
        self._samples = samples
        self._topic = requests_topic(samples.spec.name)
        shape = FleetShape(n_devices=50, json_share=0.2, traced_share=0.1, mix=mix)
        self._requests = draw_requests(samples, shape, seed=seed, run=f"chaos-{seed}")
        self._rng = random.Random(seed)
        self._pace = Pace(rate_per_s, burst_factor=5.0)
        self._producer = Producer(
            {
                **_QUIET,
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "message.timeout.ms": 0,  # never give up
                "queue.buffering.max.messages": 1_000_000,
                "retry.backoff.max.ms": 500,
                "reconnect.backoff.max.ms": 500,
            }
        )
        self._orders: SimpleQueue[int] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)
        self.clock_ahead_s = 0.0
        """How far the devices' clock is ahead."""
        self.sent = 0
        self.corrupt = 0
        self.delivered: dict[str, float] = {}
        """When the broker took an input, on the monotonic clock, by id or position."""
        self.undelivered: list[str] = []
        """Why an input was given up."""
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def send_corrupt(self, n: int) -> None:
        """Send so many records that can't be served, at once."""
        self._orders.put(n)

    def stop(self) -> None:
        """Send no more, and wait until the broker has all.

        Raises:
            RuntimeError: it has not.
        """
        self._stopping.set()
        self._thread.join(_FLUSH_S)
        left = self._producer.flush(_FLUSH_S)
        if self.failure is not None:
            raise RuntimeError(f"the fleet failed: {self.failure!r}") from self.failure
        if left or self._thread.is_alive():
            raise RuntimeError(f"the broker did not take {left} inputs within {_FLUSH_S:g} s")

    def abandon(self) -> None:
        """Stop at once."""
        self._stopping.set()
        self._producer.purge()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        start_s = time.monotonic()
        try:
            while not self._stopping.is_set():
                for _ in range(min(self._pace.due(time.monotonic() - start_s) - self.sent, 5000)):
                    self._send(next(self._requests))
                while not self._orders.empty():
                    self._send_corrupt()
                self._producer.poll(_TICK_S)
        except BaseException as e:
            self.failure = e

    def _send(self, request: OutgoingRequest) -> None:
        self.sent += 1
        self._producer.produce(
            self._topic,
            request.value,
            request.key,
            headers=list(request.headers),
            timestamp=self._now_ms(),
            on_delivery=partial(self._delivered, request.id),
        )

    def _send_corrupt(self) -> None:
        try:
            n = self._orders.get_nowait()
        except Empty:
            return
        raw = self._samples.inputs[self._samples.spec.inputs[0].name]
        for _ in range(n):
            record = corrupt_record(self._rng, raw[self._rng.randrange(len(raw))], self.corrupt)
            self.corrupt += 1
            self._producer.produce(
                self._topic,
                record.value,
                record.key,
                headers=list(record.headers),
                timestamp=self._now_ms(),
                on_delivery=partial(self._delivered, None),
            )

    def _now_ms(self) -> int:
        return int((time.time() + self.clock_ahead_s) * 1e3)

    def _delivered(self, id: str | None, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.undelivered.append(f"{id}: {error.str()}")
            return
        position = f"{message.topic()}-{message.partition()}-{message.offset()}"
        self.delivered[id or position] = time.monotonic()
