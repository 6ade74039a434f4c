"""What librdkafka is told of security, and what nobody is told."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import BrokerError
from ounce_schemas.first_contact import first_contact
from ounce_schemas.kafka_connection import KafkaConnection

SECRET = "hush-4711"
SCRAM = ["--security-protocol=SASL_SSL", "--sasl-mechanism=scram-sha-512", "--sasl-username=w"]
OAUTH = [
    "--security-protocol=sasl_ssl",
    "--sasl-mechanism=OAUTHBEARER",
    "--oauth-token-url=https://idp.example/token",
    "--oauth-client-id=worker",
]


class Settings(KafkaConnection):
    """Settings of a command."""


@click.command()
@settings_options(Settings)
def show(**options: Any) -> None:
    settings = make_settings(Settings, options)
    click.echo(f"{settings!r} {settings} {settings.security_options}")


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(show, arguments, env=environment)


def test_without_settings_nothing_is_told() -> None:
    assert KafkaConnection().security == {}
    assert KafkaConnection().security_options == []


def test_scram_over_tls(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    settings = KafkaConnection(
        security_protocol="sasl_ssl",
        ssl_ca=ca,
        ssl_hostname_check=False,
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="w",
        sasl_password_file=file,
    )
    assert settings.security == {
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": str(ca),
        "ssl.endpoint.identification.algorithm": "none",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "w",
        "sasl.password": SECRET,
    }
    again = run(*settings.security_options)
    assert again.exit_code == 0, again.output
    assert str(settings.security_options) in again.output


def test_mutual_tls(tmp_path: Path) -> None:
    pem = tmp_path / "client.pem"
    pem.write_text("")
    settings = KafkaConnection(
        security_protocol="ssl", ssl_certificate=pem, ssl_key=pem, ssl_key_password=SECRET
    )
    assert settings.security == {
        "security.protocol": "ssl",
        "ssl.certificate.location": str(pem),
        "ssl.key.location": str(pem),
        "ssl.key.password": SECRET,
    }
    assert SECRET not in f"{settings!r} {settings} {settings.security_options}"


def test_oauth(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    settings = KafkaConnection(
        security_protocol="sasl_ssl",
        sasl_mechanism="OAUTHBEARER",
        oauth_token_url="https://idp.example/token",
        oauth_client_id="worker",
        oauth_client_secret=SECRET,
        oauth_scope="kafka",
        oauth_extensions="logicalCluster=lkc-1,identityPoolId=pool-2",
        oauth_ca=ca,
    )
    assert settings.security == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": "https://idp.example/token",
        "sasl.oauthbearer.client.id": "worker",
        "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.scope": "kafka",
        "sasl.oauthbearer.extensions": "logicalCluster=lkc-1,identityPoolId=pool-2",
        "https.ca.location": str(ca),
    }
    assert SECRET not in f"{settings!r} {settings} {settings.security_options}"


def test_a_secret_comes_from_the_environment_and_is_not_shown() -> None:
    result = run(*SCRAM, OUNCE_SASL_PASSWORD=SECRET)
    assert result.exit_code == 0, result.output
    assert "security_protocol='sasl_ssl'" in result.output
    assert "SCRAM-SHA-512" in result.output
    assert SECRET not in result.output
    assert SECRET not in run("--help", OUNCE_SASL_PASSWORD=SECRET).output


def test_a_secret_on_the_command_line_is_refused() -> None:
    for words in (["--sasl-password", SECRET], [f"--sasl-password={SECRET}"]):
        result = run(*SCRAM, *words)
        assert result.exit_code == 2
        assert "set OUNCE_SASL_PASSWORD, or name a file with --sasl-password-file" in result.output
        assert SECRET not in result.output


@pytest.mark.parametrize(
    ("arguments", "environment", "text"),
    [
        (["--security-protocol=tls"], {}, "security_protocol: Input should be 'plaintext', 'ssl'"),
        (["--security-protocol=sasl_ssl"], {}, "sasl_ssl needs --sasl-mechanism"),
        (["--ssl-ca=/etc/passwd"], {}, "--ssl-ca needs --security-protocol ssl or sasl_ssl"),
        (["--no-ssl-hostname-check"], {}, "--no-ssl-hostname-check needs --security-protocol ssl"),
        (["--security-protocol=ssl", "--ssl-ca=/nowhere"], {}, "ssl_ca: can't be rea"),
        (["--security-protocol=ssl", "--ssl-key=/etc/passwd"], {}, "--ssl-key go together"),
        (["--security-protocol=ssl"], {"SSL_KEY_PASSWORD": SECRET}, "KEY_PASSWORD needs --ssl-key"),
        (["--sasl-username=w"], {}, "--sasl-username needs --security-protocol sasl_ssl"),
        ([], {"SASL_PASSWORD": SECRET}, "OUNCE_SASL_PASSWORD needs --security-protocol sasl_ssl"),
        (SCRAM[:2], {"SASL_PASSWORD": SECRET}, "needs --sasl-username"),
        (SCRAM, {}, "needs OUNCE_SASL_PASSWORD in the environment, or --sasl-password-file"),
        ([*SCRAM, "--sasl-password-file=/nowhere"], {}, "/nowhere: can't be read: No such file"),
        ([*SCRAM, "--sasl-password-file=/dev/null"], {}, "/dev/null: is empty"),
        (
            [*SCRAM, "--sasl-password-file=/dev/null"],
            {"SASL_PASSWORD": SECRET},
            "OUNCE_SASL_PASSWORD and --sasl-password-file are given",
        ),
        (
            [*SCRAM, "--oauth-scope=x"],
            {"SASL_PASSWORD": SECRET},
            "-scope needs --sasl-mechanism OA",
        ),
        (OAUTH, {}, "needs OUNCE_OAUTH_CLIENT_SECRET in the environment, or --oauth-client-secret"),
        (OAUTH[:2], {"OAUTH_CLIENT_SECRET": SECRET}, "OAUTHBEARER needs --oauth-token-url"),
        ([*OAUTH, "--sasl-username=w"], {}, "--sasl-username needs --sasl-mechanism PLAIN or SCR"),
        ([*OAUTH, "--oauth-token-url=idp"], {}, "oauth_token_url: Input should be a valid URL"),
        ([*OAUTH, "--oauth-extensions=a"], {}, "oauth_extensions: String should match pattern"),
    ],
)
def test_what_does_not_fit_is_named(
    arguments: list[str], environment: dict[str, str], text: str
) -> None:
    result = run(*arguments, **{f"OUNCE_{name}": value for name, value in environment.items()})
    assert result.exit_code == 2
    assert text in result.output
    assert "given: '{" not in result.output
    assert SECRET not in result.output


def test_a_file_that_is_no_text_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(SECRET.encode() + b"\xff")
    result = run(*SCRAM, f"--sasl-password-file={file}")
    assert "can't be read: it is not UTF-8" in result.output
    assert SECRET not in result.output


class RefusalError(Exception):
    """As KafkaException: holds one error."""


class Error:
    """As KafkaError."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._text


class Client:
    """Fails as often as it has errors, telling one each time; then answers."""

    def __init__(self, properties: dict[str, Any], errors: list[Error]) -> None:
        self._tell = properties["error_cb"]
        self._errors = errors
        self._untold: list[Error] = []

    def list_topics(self, *, timeout: float) -> str:
        if not self._errors:
            return "topics"
        self._untold.append(self._errors.pop(0))
        raise RefusalError(Error("_TRANSPORT", "broker transport failure"))

    def poll(self, timeout: float) -> int:
        if not self._untold:
            return 0
        self._tell(self._untold.pop())
        return 1


def contact(*errors: Error, timeout_s: float = 60.0) -> Any:
    _, found = first_contact(
        lambda properties: Client(properties, list(errors)),
        {"bootstrap.servers": "kafka:1"},
        timeout_s,
        RefusalError,
    )
    return found


DOWN = Error("_ALL_BROKERS_DOWN", "1/1 brokers are down")


def test_first_contact_waits_for_a_broker_that_is_late() -> None:
    assert contact() == "topics"
    assert contact(DOWN, Error("_TRANSPORT", "connection refused"), DOWN) == "topics"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Error("_AUTHENTICATION", "bad password"), "refuses the login (bad password); check user"),
        (Error("_TRANSPORT", "SSL alert number 42"), "no trusted connection with Kafka at kafka:1"),
        (Error("_SSL", "bad certificate"), "no trusted connection with Kafka at kafka:1 (bad cert"),
    ],
)
def test_first_contact_tells_a_refusal_at_once(error: Error, text: str) -> None:
    with pytest.raises(BrokerError) as raised:
        contact(DOWN, error, DOWN)
    assert text in str(raised.value)


def test_first_contact_ends_with_the_last_word_of_the_client() -> None:
    with pytest.raises(BrokerError, match=r"no Kafka at kafka:1 within 0.1 s \(refused\); start"):
        contact(Error("_TRANSPORT", "refused"), timeout_s=0.1)
    with pytest.raises(BrokerError, match=r"within 0.1 s \(broker transport failure\)"):
        contact(DOWN, timeout_s=0.1)
