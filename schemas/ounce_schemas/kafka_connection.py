"""How every command connects to Kafka: TLS, SASL, and secrets that are never shown.

Knows the names of librdkafka's properties, and imports nothing of it.
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)

from ounce_schemas.secret_file import read_secret

Properties = dict[str, str | int | float | bool]
"""Of librdkafka. May hold secrets: not for logs."""

_OAUTH = "OAUTHBEARER"
_SECRETS = ("ssl_key_password", "sasl_password", "oauth_client_secret")
_NEEDS_TLS = ("ssl_ca", "ssl_certificate", "ssl_key", "ssl_key_password", "ssl_key_password_file")
_OF_PASSWORDS = ("sasl_username", "sasl_password", "sasl_password_file")
_OF_OAUTH = (
    "oauth_token_url",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_client_secret_file",
    "oauth_scope",
    "oauth_extensions",
    "oauth_ca",
)


class KafkaConnection(BaseModel):
    """Settings of the connection; those of a command that talks to Kafka inherit them.

    Each secret is given by the environment or by a file, never by an option: others on the machine
    can read command lines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        default="plaintext",
        description="ssl: TLS; sasl_ssl: TLS and a login; sasl_plaintext: a login that anybody on "
        "the network can read",
    )
    ssl_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the brokers' certificates; without "
        "it the system's",
    )
    ssl_certificate: Path | None = Field(
        default=None, description="PEM file of this client's certificate, for mutual TLS"
    )
    ssl_key: Path | None = Field(default=None, description="PEM file of this client's private key")
    ssl_key_password: SecretStr | None = Field(
        default=None, description="Of an encrypted --ssl-key"
    )
    ssl_key_password_file: Path | None = Field(default=None, description="File that holds it")
    ssl_hostname_check: bool = Field(
        default=True, description="Whether a broker's certificate must name its host"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = (
        Field(default=None, description="How to log in")
    )
    sasl_username: str | None = Field(
        default=None, min_length=1, description="User, for PLAIN and SCRAM"
    )
    sasl_password: SecretStr | None = Field(default=None, description="Password of --sasl-username")
    sasl_password_file: Path | None = Field(default=None, description="File that holds it")
    oauth_token_url: AnyHttpUrl | None = Field(
        default=None,
        description="For OAUTHBEARER: where OpenID Connect's client credentials get a token",
    )
    oauth_client_id: str | None = Field(default=None, min_length=1, description="Client to name")
    oauth_client_secret: SecretStr | None = Field(
        default=None, description="Secret of --oauth-client-id"
    )
    oauth_client_secret_file: Path | None = Field(default=None, description="File that holds it")
    oauth_scope: str | None = Field(default=None, min_length=1, description="Scope to ask for")
    oauth_extensions: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]+=[^,=]+(,[A-Za-z]+=[^,=]+)*$",
        description="SASL extensions that go with the token, NAME=VALUE[,NAME=VALUE...]",
    )
    oauth_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the certificate of "
        "--oauth-token-url; without it the system's",
    )

    _secrets: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    @property
    def security(self) -> Properties:
        """What librdkafka must be told beside where Kafka is; holds secrets."""
        if self.security_protocol == "plaintext":
            return {}
        found = {
            "security.protocol": self.security_protocol,
            "ssl.ca.location": self.ssl_ca,
            "ssl.certificate.location": self.ssl_certificate,
            "ssl.key.location": self.ssl_key,
            "ssl.key.password": self._secret("ssl_key_password"),
            "ssl.endpoint.identification.algorithm": None if self.ssl_hostname_check else "none",
            "sasl.mechanisms": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self._secret("sasl_password"),
            "sasl.oauthbearer.method": "oidc" if self.sasl_mechanism == _OAUTH else None,
            "sasl.oauthbearer.token.endpoint.url": self.oauth_token_url,
            "sasl.oauthbearer.client.id": self.oauth_client_id,
            "sasl.oauthbearer.client.secret": self._secret("oauth_client_secret"),
            "sasl.oauthbearer.scope": self.oauth_scope,
            "sasl.oauthbearer.extensions": self.oauth_extensions,
            "https.ca.location": self.oauth_ca,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    @property
    def security_options(self) -> list[str]:
        """The command-line options that hand these settings to another command; the secrets are
        not among them, the environment hands those on."""
        words = []
        for name, field in KafkaConnection.model_fields.items():
            value = getattr(self, name)
            if name in _SECRETS or value == field.default:
                continue
            option = name.replace("_", "-")
            words += [f"--no-{option}"] if value is False else [f"--{option}", str(value)]
        return words

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("ssl_ca", "ssl_certificate", "ssl_key", "oauth_ca")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                path.open("rb").close()
            except OSError as e:
                raise ValueError(f"can't be read: {e.strerror}") from e
        return path

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        has_tls = self.security_protocol in ("ssl", "sasl_ssl")
        has_login = self.security_protocol.startswith("sasl")
        if not has_tls:
            self._refuse(_NEEDS_TLS, "--security-protocol ssl or sasl_ssl")
            if not self.ssl_hostname_check:
                raise ValueError(
                    "--no-ssl-hostname-check needs --security-protocol ssl or sasl_ssl"
                )
        if not has_login:
            self._refuse(
                ("sasl_mechanism", *_OF_PASSWORDS, *_OF_OAUTH),
                "--security-protocol sasl_ssl or sasl_plaintext",
            )
        elif self.sasl_mechanism is None:
            raise ValueError(f"--security-protocol {self.security_protocol} needs --sasl-mechanism")
        if self.sasl_mechanism == _OAUTH:
            self._refuse(_OF_PASSWORDS, "--sasl-mechanism PLAIN or SCRAM-SHA-512")
            self._require("oauth_token_url", "oauth_client_id", "oauth_client_secret")
        elif self.sasl_mechanism is not None:
            self._refuse(_OF_OAUTH, f"--sasl-mechanism {_OAUTH}")
            self._require("sasl_username", "sasl_password")
        if (self.ssl_certificate is None) != (self.ssl_key is None):
            raise ValueError("--ssl-certificate and --ssl-key go together (one PEM may hold both)")
        if self.ssl_key is None:
            self._refuse(("ssl_key_password", "ssl_key_password_file"), "--ssl-key")
        self._secrets = {name: s for name in _SECRETS if (s := self._read(name)) is not None}
        return self

    def _refuse(self, names: tuple[str, ...], needed: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"{_called(name)} needs {needed}")

    def _require(self, *names: str) -> None:
        for name in names:
            if name in _SECRETS:
                if getattr(self, name) is None and getattr(self, f"{name}_file") is None:
                    raise ValueError(
                        f"--sasl-mechanism {self.sasl_mechanism} needs {_called(name)} in the "
                        f"environment, or {_called(f'{name}_file')}"
                    )
            elif getattr(self, name) is None:
                raise ValueError(f"--sasl-mechanism {self.sasl_mechanism} needs {_called(name)}")

    def _read(self, name: str) -> SecretStr | None:
        """A secret, from wherever it was given."""
        option = f"{name}_file"
        return read_secret(
            _called(name), getattr(self, name), _called(option), getattr(self, option)
        )

    def _secret(self, name: str) -> str | None:
        found = self._secrets.get(name)
        return None if found is None else found.get_secret_value()


def _called(name: str) -> str:
    """A field as people give it: secrets have no option."""
    is_secret = name.endswith(("password", "secret"))
    return f"OUNCE_{name.upper()}" if is_secret else f"--{name.replace('_', '-')}"
