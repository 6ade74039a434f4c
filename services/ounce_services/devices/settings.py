"""Everything that can be set of a simulated fleet."""

from pathlib import Path
from typing import Self

from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.task import TaskName
from pydantic import Field, field_validator, model_validator

from ounce_services.devices.targets import Targets


class DevicesSettings(KafkaConnection):
    """Settings of `ounce devices`."""

    task: tuple[TaskName, ...] = Field(
        min_length=1, description="Task to send inputs of; repeat for several"
    )
    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    models: Path = Field(
        default=Path("models"), description="Folder that `ounce train` writes; holds test splits"
    )
    rate: tuple[str, ...] = Field(
        default=("100",),
        description="Messages per second outside of bursts, of every task or of one: N or TASK=N",
    )
    duration: float = Field(
        default=60.0, ge=0, le=1e9, description="Seconds to send for; 0: until stopped"
    )
    devices: int = Field(
        default=20, ge=1, le=100_000, description="Devices per task; the key is the device's id"
    )
    targets: tuple[str, ...] = Field(
        default=(),
        description="Part of the mix, MAX_LATENCY_MS:MIN_ACCURACY:WEIGHT, '-' leaving a target to "
        "the policy ('-:-:1': bare records); repeat. Without any: from the ladder's cards, mostly "
        "easy targets, 5% that only the most accurate model meets, 0.4% that nothing meets",
    )
    json_share: float = Field(
        default=0.25, ge=0, le=1, description="Share of JSON bodies; the others are raw bytes"
    )
    traced_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of requests with a W3C traceparent"
    )
    burst_every: float = Field(default=10.0, gt=0, description="Seconds from one burst to the next")
    burst_length: float = Field(default=1.0, ge=0, description="Seconds that a burst lasts")
    burst_factor: float = Field(
        default=5.0, ge=1, le=1000, description="Rate in a burst over the rate outside; 1: none"
    )
    label_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of answered requests whose truth is published to the labels topic",
    )
    label_delay: float = Field(
        default=1.0,
        ge=0,
        le=86_400,
        description="Seconds from an answer to its label; labels that are not due when "
        "--patience-s ends are not sent",
    )
    seed: int = Field(default=0, ge=0, description="Of everything drawn")
    report: Path | None = Field(
        default=None, description="File for a JSON line of what was seen, every half second"
    )
    patience_s: float = Field(
        default=10.0, ge=0, description="Seconds to wait for the last answers and labels"
    )
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka at start-up before giving up"
    )

    @property
    def rates_per_s(self) -> dict[str, float]:
        """Rate of every task: its own, else the one for all, else 100."""
        general, own = split_rates(self.rate)
        return {task: own.get(task, general) for task in self.task}

    @property
    def mix(self) -> tuple[Targets, ...]:
        """Targets that were given; empty: to be derived from the cards."""
        return tuple(Targets.parse(text) for text in self.targets)

    @field_validator("targets")
    @classmethod
    def _check_targets(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        for text in targets:
            Targets.parse(text)
        return targets

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.burst_length >= self.burst_every:
            raise ValueError("a burst must be shorter than the time from one to the next")
        if len(set(self.task)) != len(self.task):
            raise ValueError(f"tasks repeat: {list(self.task)}")
        _, own = split_rates(self.rate)
        if unknown := sorted(set(own) - set(self.task)):
            raise ValueError(f"--rate names {', '.join(unknown)}, which no --task does")
        return self


def split_rates(texts: tuple[str, ...]) -> tuple[float, dict[str, float]]:
    """The rate for all tasks, and those of single tasks.

    Raises:
        ValueError: a text is no rate.
    """
    general, own = 100.0, {}
    for text in texts:
        task, _, number = text.rpartition("=")
        try:
            rate = float(number)
        except ValueError as e:
            raise ValueError(f"rate {text!r} is not N or TASK=N") from e
        if not 0 < rate <= 1e6:
            raise ValueError(f"rate {text!r} must be above 0 and at most 1000000 per second")
        if task:
            own[task] = rate
        else:
            general = rate
    return general, own
