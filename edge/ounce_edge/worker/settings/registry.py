"""Where the schemas of bodies are, and how to be let in."""

from pathlib import Path
from typing import Self

from ounce_schemas.kafka_connection import KafkaConnection
from pydantic import AnyHttpUrl, Field, PrivateAttr, SecretStr, field_validator, model_validator


class RegistrySettings(KafkaConnection):
    """Settings of a schema registry; those of a worker inherit them."""

    schema_registry: AnyHttpUrl | None = Field(
        default=None,
        description="Registry of the schemas of Avro and Protobuf bodies: what stands before "
        "/schemas/ids/ID",
    )
    schema_registry_timeout_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Longest wait for a schema that is not known yet; other messages wait as well",
    )
    schema_registry_user: str | None = Field(
        default=None, min_length=1, description="User, where the registry asks for one"
    )
    schema_registry_password: SecretStr | None = Field(
        default=None, description="Password of --schema-registry-user"
    )
    schema_registry_password_file: Path | None = Field(
        default=None, description="File that holds it"
    )
    schema_registry_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the registry's certificate; without "
        "it the system's",
    )

    _registry_login: tuple[str, str] | None = PrivateAttr(default=None)

    @property
    def schema_registry_login(self) -> tuple[str, str] | None:
        """User and password; holds a secret."""
        return self._registry_login

    @model_validator(mode="after")
    def _with_login(self) -> Self:
        user, password = self.schema_registry_user, self._read("schema_registry_password")
        if (user is None) != (password is None):
            raise ValueError(
                "--schema-registry-user and OUNCE_SCHEMA_REGISTRY_PASSWORD go together"
            )
        if user is not None and password is not None:
            self._registry_login = user, password.get_secret_value()
        return self

    @field_validator("schema_registry")
    @classmethod
    def _without_login(cls, url: AnyHttpUrl | None) -> AnyHttpUrl | None:
        if url is not None and (url.username or url.password):
            raise ValueError(
                "others can read it: give the login as --schema-registry-user and "
                "OUNCE_SCHEMA_REGISTRY_PASSWORD"
            )
        return url
