"""Everything that can be set of a worker process."""

import os
import socket
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from ounce_edge.broker.reading.no_offsets import NoOffsets
from ounce_edge.worker.settings.gpu import GpuSettings
from ounce_edge.worker.settings.registry import RegistrySettings
from ounce_edge.worker.settings.telemetry import TelemetrySettings


class DeliveryMode(StrEnum):
    """What holds for an answer when a worker dies."""

    AT_LEAST_ONCE = "at-least-once"
    """It may come again, with the same id."""
    EXACTLY_ONCE = "exactly-once"
    """A read-committed reader sees it once."""


class WorkerSettings(TelemetrySettings, GpuSettings, RegistrySettings):
    """Settings of `ounce worker`. Passed in at the top, never read deep inside."""

    models: Path = Field(default=Path("models"), description="Folder that `ounce train` writes")
    models_watch_s: float = Field(
        default=1.0,
        ge=0,
        le=3600,
        description="Seconds between two looks at the models folder; what changes there is put in "
        "service without a restart. 0: it is read at the start only",
    )
    models_store: str | None = Field(
        default=None,
        min_length=1,
        description="Store that `ounce models publish` writes: a path, s3://BUCKET/FOLDER, "
        "https://HOST/FOLDER. What the topic ounce.models says serves; tasks that it does not name "
        "are served from the models folder",
    )
    models_key: tuple[Path, ...] = Field(
        default=(),
        description="PEM file of a public key; a release serves that one of them has signed; "
        "repeat for several",
    )
    models_unsigned: bool = Field(
        default=False, description="Whether releases of the store serve that nobody has signed"
    )
    models_cache: Path = Field(
        default=Path(".ounce-models"),
        description="Folder that releases are fetched to; of this worker alone",
    )
    models_cache_mb: float = Field(
        default=4000.0, gt=0, le=10_000_000, description="Megabytes that this folder holds at most"
    )
    max_model_mb: float | None = Field(
        default=None,
        gt=0,
        le=10_000_000,
        description="Megabytes that the models of all tasks may take; those that were used least "
        "lately are unloaded, and loaded again when messages have time for it. Default: no limit",
    )
    policy: Path | None = Field(
        default=None,
        description="Routing policy, YAML or JSON; without one: 100 ms, accuracy 0.9, "
        "most-accurate-in-time",
    )
    follow_policies: bool = Field(
        default=False,
        description="Put versions of the policy in force that `ounce policy apply` writes, without "
        "a restart; until there is one, --policy holds",
    )
    state: Path = Field(
        default=Path("state"),
        description="Folder that keeps what the next start needs: which models passed their trial "
        "here, and with --follow-policies the last good policy, for a start at which Kafka can't "
        "give it",
    )
    group: str = Field(default="ounce", min_length=1, description="Kafka consumer group")
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of this worker, stable over restarts and unique in its group: restarted, "
        "it gets its partitions back at once (static membership). In a group all have one, or none",
    )
    when_no_offsets: str = Field(
        default="beginning",
        description="Where to begin where the group has no committed offsets of a topic, since it "
        "is new or they expired: beginning, end, answered (behind what the predictions and dead "
        "letters topics answer), a time (2026-01-31T12:00:00Z), an age (1h, 7d), or stop, which "
        "asks",
    )
    delivery: DeliveryMode = Field(
        default=DeliveryMode.AT_LEAST_ONCE,
        description="at-least-once, or exactly-once: answers and offsets in one transaction",
    )
    transaction_ms: float = Field(
        default=20.0,
        gt=0,
        le=5000,
        description="exactly-once: compute of one transaction; less where deadlines are tight",
    )
    session_timeout_ms: int | None = Field(
        default=None,
        ge=1000,
        le=1_800_000,
        description="Silence after which the group gives this worker's partitions to others; "
        "default: 10000, with --name 45000, which is time to restart it",
    )
    threads: int = Field(default=1, ge=1, description="Threads of the pool that all models share")
    model_threads: int | None = Field(
        default=None,
        ge=0,
        le=256,
        description="Threads that make long model calls beside the one that serves, so that light "
        "messages do not wait for heavy ones; default: 1 where there is a second core, else 0",
    )
    max_batch: int = Field(default=16_384, ge=1, le=100_000, description="Most records of one poll")
    max_waiting: int = Field(
        default=16_384,
        ge=1,
        le=1_000_000,
        description="Most records that may wait to be answered, of all tasks together, since this "
        "is what bounds memory; beyond, partitions pause",
    )
    max_waiting_mb: float = Field(
        default=64.0,
        gt=0,
        le=100_000,
        description="Megabytes of records that may wait, of all tasks together; beyond, partitions "
        "pause",
    )
    max_message_bytes: int = Field(
        default=1_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Bytes of one record that the predictions and dead-letters topics take (their "
        "max.message.bytes); of a larger dead letter the value is left out",
    )
    slice_ms: float = Field(
        default=4.0,
        gt=0,
        le=1000,
        description="Most compute between two looks for newer requests, which may be more urgent; "
        "a tenth of the tightest deadline where that is more, up to 100 ms, and half of that "
        "where little waits; more where a busy processor makes groups of messages dear",
    )
    batch_delay_ms: float = Field(
        default=5.0,
        ge=0,
        le=1000,
        description="Longest wait for requests that could share a call with the first that came; "
        "at most a twentieth of the tightest deadline of the last minute, none where few come",
    )
    fetch_wait_ms: int = Field(
        default=500,
        ge=1,
        le=60_000,
        description="Longest time the broker may hold a fetch that finds nothing; Kafka answers as "
        "soon as there is something, librdkafka's mock cluster only then: 10 for that",
    )
    kafka_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds to try to reach Kafka at start-up, again and again, before giving up",
    )
    decisions: Path | None = Field(
        default=None,
        description="Folder to record decisions in for `ounce explain`, at most 64 MB a task and "
        "worker",
    )
    publish_decisions: bool = Field(
        default=False,
        description="Publish decisions to the topic ounce.decisions instead, for `ounce policy "
        "replay`; what Kafka does not take is lost",
    )
    drain_s: float = Field(
        default=10.0,
        gt=0,
        le=250,
        description="Longest time to answer what waits when partitions are given up or the worker "
        "is stopped; the rest is left for their next owner. Until the worker has stopped up to ten "
        "seconds more may pass",
    )

    @property
    def session_ms(self) -> int:
        """`session_timeout_ms`, or its default."""
        return self.session_timeout_ms or (10_000 if self.name is None else 45_000)

    @property
    def most_open(self) -> int:
        """Offsets of a partition that may be open at once; half of them of markers."""
        return 2 * (self.max_waiting + self.max_batch)

    @cached_property
    def worker_name(self) -> str:
        """`name`, or one that no other process has now."""
        return self.name or f"{socket.gethostname()}-{os.getpid()}"

    @field_validator("when_no_offsets")
    @classmethod
    def _known(cls, when_no_offsets: str) -> str:
        NoOffsets.parse(when_no_offsets)
        return when_no_offsets

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.publish_decisions and self.decisions is not None:
            raise ValueError("decisions go to a folder or to a topic: give one of the two")
        return self
