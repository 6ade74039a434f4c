"""Everything that can be set of the demonstration."""

from pathlib import Path
from typing import Self

from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.task import TaskName
from pydantic import Field, field_validator, model_validator

from ounce_services.devices.settings import split_rates


class DemoSettings(KafkaConnection):
    """Settings of `ounce demo`."""

    task: tuple[TaskName, ...] = Field(
        default=("digits", "bearing"), min_length=1, description="Task to show; repeat for several"
    )
    models: Path = Field(
        default=Path("models"),
        description="Folder of the ladders; of those absent a quick one is trained into quick/",
    )
    kafka: str | None = Field(
        default=None,
        description="Bootstrap servers of a real Kafka, HOST:PORT[,HOST:PORT...]; without it a "
        "broker embedded in the demo",
    )
    duration: float = Field(default=60.0, gt=0, le=1e6, description="Seconds that devices send for")
    rate: tuple[str, ...] = Field(
        default=("digits=300", "bearing=60"),
        description="Messages per second outside of bursts, of every task or of one: N or TASK=N",
    )
    burst_factor: float = Field(
        default=5.0, ge=1, le=1000, description="Rate in a burst over the rate outside; 1: none"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the worker's metrics; 0: any that is free"
    )
    console: bool = Field(
        default=True,
        description="Whether a console for browsers runs beside the embedded broker",
    )
    console_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the console; 0: any that is free"
    )
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )

    @field_validator("rate")
    @classmethod
    def _are_rates(cls, rate: tuple[str, ...]) -> tuple[str, ...]:
        split_rates(rate)
        return rate

    @model_validator(mode="after")
    def _embedded_broker_is_open(self) -> Self:
        if self.kafka is None and self.security:
            raise ValueError("--security-protocol needs --kafka: the embedded broker is plaintext")
        return self
