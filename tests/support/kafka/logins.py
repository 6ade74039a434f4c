"""Logins of a broker that asks who comes, with the rights that the page on security lists."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.kafka.acls import grant
from tests.support.kafka.secure import SecureKafka
from tests.support.process import command

PAGE = Path(__file__).parents[3] / "docs" / "security.md"
SECRET = "hush"
USERS = (
    *("worker", "devices", "gateway", "http", "control", "topics", "demo", "operator"),
    *("stranger", "groupless", "frugal", "leaving"),
)
PASSWORDS = {name: f"{SECRET}-{name}-4711" for name in USERS}


@contextmanager
def secure_kafka(folder: Path) -> Iterator[SecureKafka]:
    """With the topics of digits, made by `ounce topics`, and the rights of the page on security.

    Args:
        folder: for certificates.

    Raises:
        KafkaUnavailableError: this machine can't run Kafka.
        OpensslMissingError: it can't make certificates.
    """
    with SecureKafka(folder, PASSWORDS) as kafka:
        lines = documented_commands()
        of_worker = [line for line in lines if "User:worker" in line]
        assert len(of_worker) == 4
        by_certificate = [line.replace("User:worker", "User:CN=worker") for line in of_worker]
        without_group = [line.replace("User:worker", "User:groupless") for line in of_worker[:2]]
        without_wishes = [
            re.sub("--topic ounce.(digits.labels|events)", "", line).replace(
                "User:worker", "User:frugal"
            )
            for line in of_worker
        ]
        other_group = "--allow-principal User:groupless --operation Read --group mine"
        of_demo = [
            re.sub("User:(worker|devices|topics|operator)", "User:demo", line).replace(
                "--group ounce", "--group ounce-demo"
            )
            for line in lines
        ]
        granted = [*lines, other_group, *by_certificate, *without_group, *without_wishes, *of_demo]
        grant(kafka.bootstrap_servers, granted)
        made = ounce(kafka, "topics", "topics", "digits", "--partitions=2")
        assert made.code == 0, made.stderr
        assert made.stdout.count("created") == 8
        again = ounce(kafka, "topics", "topics", "digits")
        assert again.stdout.count("exists") == 8, again.stderr
        yield kafka


def documented_commands() -> list[str]:
    """Arguments of the page's kafka-acls.sh."""
    return re.findall(r"^\$acl (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def scram(kafka: SecureKafka, user: str) -> list[str]:
    """Options of a login; the password comes from the environment."""
    return [
        f"--kafka={kafka.scram}",
        "--security-protocol=sasl_ssl",
        f"--ssl-ca={kafka.authority.certificate}",
        "--sasl-mechanism=SCRAM-SHA-512",
        f"--sasl-username={user}",
    ]


def ounce(kafka: SecureKafka, user: str, *arguments: str) -> command.Result:
    """Run a command as that user."""
    password = {"OUNCE_SASL_PASSWORD": PASSWORDS[user]}
    return command.ounce(*arguments, *scram(kafka, user), env=password)


def fails(*arguments: str, env: dict[str, str]) -> str:
    """The error of `ounce worker`, which does not start: one line that shows no secret."""
    result = command.ounce("worker", *arguments, env=env)
    assert result.code in (1, 2), result.stderr
    assert SECRET not in result.stdout + result.stderr
    return command.the_line(result.stderr)
