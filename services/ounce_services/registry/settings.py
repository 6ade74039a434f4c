"""Settings of `ounce models`."""

from pathlib import Path

from ounce_schemas.kafka_connection import KafkaConnection
from pydantic import Field


class RegistrySettings(KafkaConnection):
    """Where models are kept, and where it is told which of them serve."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    store: str = Field(
        min_length=1,
        description="Folder of the store: a path, s3://BUCKET/FOLDER, https://HOST/FOLDER",
    )
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )


class PublishSettings(RegistrySettings):
    """Settings of what changes what serves."""

    key: Path | None = Field(
        default=None, description="PEM file of the private key that signs; none: not signed"
    )
    author: str = Field(default="", max_length=200, description="Who does it; none: this user")
    note: str = Field(default="", max_length=1000, description="Why")
    replication: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Copies of the topic ounce.models, where it is made; none: as Kafka is set",
    )
