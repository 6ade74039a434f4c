"""Settings of `ounce control`."""

import ipaddress
from pathlib import Path
from typing import Self

from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.secret_file import read_secret
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)

from ounce_services.control.access.tokens import Provider


class DatabaseSettings(BaseModel):
    """Where the state is."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    state: Path = Field(default=Path("ounce-control.db"), description="File of the SQLite database")
    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://USER:PASSWORD@HOST/NAME, in place of --state",
    )
    database_url_file: Path | None = Field(default=None, description="File that holds it")

    _url: SecretStr | None = PrivateAttr(default=None)

    @property
    def database(self) -> str:
        """URL of the database; may hold a password."""
        if self._url is not None:
            return self._url.get_secret_value()
        return f"sqlite:///{self.state}"

    @model_validator(mode="after")
    def _read_url(self) -> Self:
        self._url = read_secret(
            "OUNCE_DATABASE_URL", self.database_url, "--database-url-file", self.database_url_file
        )
        return self


class ControlSettings(KafkaConnection, DatabaseSettings):
    """Settings of `ounce control serve`."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="Port; 0: any that is free")
    open: bool = Field(
        default=False,
        description="Ask nobody for a key; only where --host is an address of this machine alone",
    )
    models: Path = Field(
        default=Path("models"), description="Folder of the ladders that policies are checked with"
    )
    decisions: Path | None = Field(
        default=None, description="Folder of recorded decisions, for replays"
    )
    store: str | None = Field(
        default=None, description="Store of releases: a path, s3://BUCKET/FOLDER, https://HOST/..."
    )
    key: Path | None = Field(
        default=None, description="PEM file of the private key that signs new releases"
    )
    task: tuple[str, ...] = Field(
        default=(), description="Task to show; repeat for several; none: all that Kafka has"
    )
    oidc_issuer: str | None = Field(default=None, description="Issuer whose tokens are taken")
    oidc_audience: str = Field(default="ounce", description="Audience that tokens must name")
    oidc_jwks_url: AnyHttpUrl | None = Field(
        default=None, description="Where the issuer publishes its keys"
    )
    oidc_role_claim: str = Field(default="ounce-role", description="Claim that names the role")
    oidc_tenant_claim: str = Field(
        default="ounce-tenant", description="Claim that names the tenant; absent: all tenants"
    )
    calls_per_minute: int = Field(
        default=600, ge=1, le=1_000_000, description="Calls of one key that are answered"
    )
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )

    @property
    def provider(self) -> Provider | None:
        """Whose tokens are taken."""
        if self.oidc_issuer is None:
            return None
        return Provider(
            self.oidc_issuer,
            self.oidc_audience,
            str(self.oidc_jwks_url),
            self.oidc_role_claim,
            self.oidc_tenant_claim,
        )

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        if self.open and not is_loopback(self.host):
            raise ValueError(
                f"--open needs a --host of this machine alone, such as 127.0.0.1, not {self.host}"
            )
        if (self.oidc_issuer is None) != (self.oidc_jwks_url is None):
            raise ValueError("--oidc-issuer and --oidc-jwks-url go together")
        if self.key is not None and not self.key.is_file():
            raise ValueError(f"--key {self.key}: no key there; make one with `ounce models key`")
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
