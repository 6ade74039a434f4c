"""Everything that can be set of an HTTP front."""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from ounce_edge.worker.settings.process import Port, ProcessSettings


class HttpSettings(ProcessSettings):
    """Settings of `ounce http`. Passed in at the top, never read deep inside."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port; 0: any that is free")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file of this server's certificate: serve TLS alone"
    )
    tls_key: Path | None = Field(default=None, description="PEM file of its private key")
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that must have signed a caller's certificate",
    )
    device_from_certificate: bool = Field(
        default=False,
        description="Whether device and tenant are those that a caller's certificate names",
    )
    tokens_file: Path | None = Field(
        default=None,
        description="File with a token in each line; callers bring one as `Authorization: Bearer`",
    )
    models: Path = Field(
        default=Path("models"),
        description="Folder that `ounce train` writes: its task.json tell callers of inputs",
    )
    group: str = Field(
        default="ounce", min_length=1, description="Kafka consumer group of the workers"
    )
    grace_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Seconds that an answer may take beyond the deadline that its request names, "
        "and that a worker may take to start",
    )
    patience_s: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="Seconds that Kafka may leave a request unconfirmed",
    )
    max_waiting: int = Field(
        default=2000, ge=1, le=1_000_000, description="Requests that may wait for their answers"
    )
    max_waiting_mb: float = Field(
        default=64.0, gt=0, le=100_000, description="Megabytes of bodies that may be held"
    )
    max_message_bytes: int = Field(
        default=1_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Bytes of one body, and of one record that the topics of requests take",
    )
    max_connections: int = Field(
        default=4000, ge=1, le=1_000_000, description="Connections that may be open"
    )
    drain_s: float = Field(
        default=25.0,
        gt=0,
        le=3600,
        description="Seconds that what waits may take at the end, after SIGTERM",
    )
    metrics_port: Port = 9466

    @property
    def is_open(self) -> bool:
        """Whether callers of other machines need neither a token nor a certificate."""
        return not (self.tokens_file or self.tls_client_ca or _is_loopback(self.host))

    @field_validator("tls_certificate", "tls_key", "tls_client_ca", "tokens_file")
    @classmethod
    def _file(cls, path: Path | None) -> Path | None:
        return cls._readable(path)

    @model_validator(mode="after")
    def _tls_fits_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("--tls-certificate and --tls-key go together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("--tls-client-ca needs --tls-certificate")
        if self.device_from_certificate and self.tls_client_ca is None:
            raise ValueError("--device-from-certificate needs --tls-client-ca")
        return self


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
