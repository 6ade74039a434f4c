"""What the commands of `ounce policy` have in common."""

import getpass
import sys
from pathlib import Path
from typing import Any

import click
from ounce_edge.dry_run.cards import Ladders, card_ladders
from ounce_edge.dry_run.check import Finding, Level, check
from ounce_schemas.command import make_settings
from ounce_schemas.documents import parse_policy, read_text
from ounce_schemas.errors import PolicyError
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.policy import Policy
from ounce_schemas.policy_history import PolicyVersion
from pydantic import Field

from ounce_services.policies.topic import PolicyTopic


class TopicSettings(KafkaConnection):
    """Where the versions of the policy are."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )

    def topic(self) -> PolicyTopic:
        """The topic there."""
        return PolicyTopic(self.kafka, self.kafka_timeout_s, self.security)


def open_topic(values: dict[str, Any]) -> PolicyTopic:
    """The topic that the options name."""
    return make_settings(TopicSettings, values).topic()


models_option = click.option(
    "--models",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    envvar="OUNCE_MODELS",
    show_envvar=True,
    help="Folder of the ladders; their cards say what can be met. Absent: only the rules.",
)
author_option = click.option(
    "--author", default=getpass.getuser, help="Who changes it.  [default: your user name]"
)
note_option = click.option("--note", default="", help="Why, for the history.")
file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


def read_document(file: Path) -> tuple[str, Policy]:
    """Text and policy of a file; `-` is standard input.

    Raises:
        PolicyError: it can't be used.
    """
    text = sys.stdin.read() if str(file) == "-" else read_text(file)
    return text, parse_policy(text, "standard input" if str(file) == "-" else str(file))


def look_for_faults(policy: Policy, models: Path) -> tuple[list[Finding], Ladders]:
    """What is wrong with a policy, and the ladders that it was held against."""
    ladders = card_ladders(models)
    return check(policy, ladders), ladders


def show_findings(findings: list[Finding], err: bool = False) -> int:
    """Print findings; how many are errors."""
    for finding in findings:
        click.echo(f"{finding.level}: {finding.where}: {finding.text}", err=err)
    return sum(finding.level is Level.ERROR for finding in findings)


def current_of(topic: PolicyTopic) -> PolicyVersion:
    """The version in force.

    Raises:
        PolicyError: there is none yet.
    """
    current = topic.history().current
    if current is None:
        raise PolicyError("no version of the policy was applied yet: `ounce policy apply FILE`")
    return current
